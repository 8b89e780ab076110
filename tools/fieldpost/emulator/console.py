"""Reads along at a board's console, line by line, without disturbing what runs there."""

import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fieldpost.board.lines import Lines
from fieldpost.errors import TimedOut

_SLICE_S = 0.02
_SEND_S = 10.0
_CTRL_C = b"\x03"
# The texts of older lines are forgotten.
_LINES_MAX = 100_000


class Console:
    """The pseudo-terminal `path` of an emulated board, from entering `with` until leaving it.

    on_line: called, from a thread, with each line. `lines`: all that came so far. Only one at a
    time can hear a board: let go of the console before mpremote takes it.
    """

    def __init__(self, path: str, on_line: Callable[[str], None] | None = None) -> None:
        self.lines: list[str] = []
        self._path = path
        self._on_line = on_line
        self._changed = threading.Condition()
        self._file = -1
        self._stopping = False
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR | os.O_NOCTTY)
        # Now: what the board has said already stays to be read.
        tty.setraw(self._file, termios.TCSANOW)
        os.set_blocking(self._file, False)
        self._stopping = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        if self._reader:
            self._reader.join()
        os.close(self._file)

    def wait_for(self, text: str, limit_s: float, since: int = 0) -> int:
        """Until a line that has `text` in it came; the number of the one after it.

        since: the number of the first line that counts. Raises CommandError at the limit.
        """
        end = time.monotonic() + limit_s
        at = since
        with self._changed:
            while True:
                while at < len(self.lines):
                    at += 1
                    if text in self.lines[at - 1]:
                        return at
                left_s = end - time.monotonic()
                if left_s <= 0:
                    last = "\n".join(self.lines[-15:])
                    raise TimedOut(f"no '{text}' within {limit_s:g} s. The last lines:\n{last}")
                self._changed.wait(left_s)

    def send(self, data: bytes) -> None:
        """Type something. Raises CommandError if the board does not take it in."""
        while data:
            # A terminal holds 4 kB that nobody has read yet.
            if not select.select((), (self._file,), (), _SEND_S)[1]:
                raise TimedOut(f"the board took in nothing for {_SEND_S:g} s")
            data = data[os.write(self._file, data) :]

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.send(_CTRL_C)

    def _read(self) -> None:
        cut = Lines()
        while not self._stopping:
            try:
                data = os.read(self._file, 4096)
            except BlockingIOError:
                time.sleep(_SLICE_S)
                continue
            except OSError:
                break  # the board was switched off
            for line in cut.feed(data):
                self._add(line)

    def _add(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            if len(self.lines) > _LINES_MAX:
                self.lines[-_LINES_MAX - 1] = ""
            self._changed.notify_all()
        if self._on_line:
            self._on_line(line)
