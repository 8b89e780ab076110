"""Programs that this machine has or has not, and what ends them with whoever started them."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Where distributions put daemons, which is not always on a user's PATH.
_DAEMON_PATH = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"))
# There is a group of that number only if the process leads it.
_KILL = 'read -r _; kill -9 "-$0" 2>/dev/null || kill -9 "$0"'


def find(*names: str) -> str | None:
    """The path of the first of these programs that is installed, None without any.

    FIELDPOST_WITHOUT=mosquitto,chromium hides programs, to see what works on a machine that has
    none of them.
    """
    hidden = os.environ.get("FIELDPOST_WITHOUT", "").split(",")
    for name in names:
        if name not in hidden:
            found = shutil.which(name) or shutil.which(name, path=_DAEMON_PATH)
            if found:
                return found
    return None


class Watchdog:
    """Kills a process as soon as the one that made this has ended, however it ended.

    With it goes the group that it leads, if it leads one. It is a shell that waits for the end of
    a pipe whose other end is open here alone, so it outlives a kill and does not depend on the
    thread that made it. Where there is no shell, it does nothing.
    """

    def __init__(self, process: "subprocess.Popen[Any]") -> None:
        shell = shutil.which("sh") if os.name == "posix" else None
        self._shell: subprocess.Popen[bytes] | None = None
        if shell:
            self._shell = subprocess.Popen(
                [shell, "-c", _KILL, str(process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def close(self) -> None:
        """Watch no longer. To be called before the process has been waited for."""
        if self._shell:
            self._shell.kill()
            self._shell.wait()
            assert self._shell.stdin
            self._shell.stdin.close()
            self._shell = None


@contextmanager
def signals_end_it() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does: children and all."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
