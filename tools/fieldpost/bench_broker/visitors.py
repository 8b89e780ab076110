"""Who comes to a broker and who goes, as Mosquitto's log tells it."""

import re
import time
from pathlib import Path

_STAMPED = re.compile(r"(\d+): (.*)")
_CLIENT = re.compile(r"(New client connected|Client |Socket error on client )")
# Who connected and said nothing, as our own look at the port does.
_NOBODY = re.compile(r"<unknown>|from 127\.0\.0\.1 failed: .*unexpected eof")


class Visitors:
    """Reads on in the file `log`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = 0
        self._rest = b""

    def news(self) -> list[str]:
        """What has been said since the last call, with the local clock in front."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            return []
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [text for line in lines if (text := _told(line.decode(errors="replace")))]


def _told(line: str) -> str | None:
    found = _STAMPED.match(line)
    if not found or not _CLIENT.match(found[2]) or _NOBODY.search(found[2]):
        return None
    return f"{time.strftime('%H:%M:%S', time.localtime(int(found[1])))}  {found[2]}"
