"""Each reading that a swarm accepted, and when it was acknowledged: what a store is checked by."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

from fieldpost.errors import NotWritten

HEAD = ("node", "boot", "seq", "accepted", "acknowledged")
_Key = tuple[str, int, int]


class Ledger:
    """A CSV file with a line for each reading: its key, and both moments in Unix seconds.
    `acknowledged` is empty where nobody has. The file is there from the start, written by `close`.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._moments: dict[_Key, tuple[float, float | None]] = {}
        self._write()

    def accepted(self, node: str, boot: int, seq: int) -> None:
        """Its outbox has taken a reading."""
        self._moments[node, boot, seq] = self._now(), None

    def acknowledged(self, node: str, boot: int, seq: int) -> None:
        """The broker has it: the outbox is about to forget it."""
        key = node, boot, seq
        begin, before = self._moments[key]
        if before is None:
            self._moments[key] = begin, self._now()

    def close(self) -> None:
        """Write it. Raises NotWritten if that can't be done."""
        self._write()

    def _write(self) -> None:
        try:
            with self._path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(HEAD)
                for key, (begin, end) in self._moments.items():
                    writer.writerow((*key, f"{begin:.3f}", "" if end is None else f"{end:.3f}"))
        except OSError as error:
            raise NotWritten(f"{self._path}: {error.strerror}") from None
