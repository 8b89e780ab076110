"""A pseudo-terminal in front of a chip's serial line."""

import asyncio
import contextlib
import os
import pty
import socket
import time
import tty

_PIECE = 4096
_KEPT_MAX = 64 * 1024


class PtyConsole:
    """From `open` until `close`; `plug` connects it to a line, which may change.

    path: of the terminal. last_said: by time.monotonic(), when something last came from the chip.
    Of what comes while nobody reads, the newest is kept.
    """

    def __init__(self) -> None:
        self.path = ""
        self.last_said = time.monotonic()
        self._ours = self._theirs = -1
        self._line: socket.socket | None = None
        self._kept = bytearray()
        self._typed = bytearray()

    def open(self) -> None:
        self._ours, self._theirs = pty.openpty()
        # Held open here, it outlives those who come and go.
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._from_person)

    def plug(self, line: socket.socket) -> None:
        """To the chip's serial line, which is closed when the next takes its place."""
        self._unplug()
        line.setblocking(False)
        self._line = line
        asyncio.get_running_loop().add_reader(line, self._from_chip)

    def close(self) -> None:
        self._unplug()
        if self._ours >= 0:
            asyncio.get_running_loop().remove_reader(self._ours)
            asyncio.get_running_loop().remove_writer(self._ours)
            os.close(self._ours)
            os.close(self._theirs)
            self._ours = -1

    def _unplug(self) -> None:
        if self._line:
            asyncio.get_running_loop().remove_reader(self._line)
            asyncio.get_running_loop().remove_writer(self._line)
            self._line.close()
            self._line = None
            self._typed.clear()
            asyncio.get_running_loop().add_reader(self._ours, self._from_person)

    def _from_chip(self) -> None:
        assert self._line
        try:
            data = self._line.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._unplug()
            return
        self.last_said = time.monotonic()
        self._kept += data
        del self._kept[:-_KEPT_MAX]
        self._to_person()

    def _to_person(self) -> None:
        with contextlib.suppress(BlockingIOError):  # Nobody reads.
            del self._kept[: os.write(self._ours, self._kept)]
        loop = asyncio.get_running_loop()
        if self._kept:
            loop.add_writer(self._ours, self._to_person)
        else:
            loop.remove_writer(self._ours)

    def _from_person(self) -> None:
        try:
            data = os.read(self._ours, _PIECE)
        except OSError:
            return
        if self._line:
            self._typed += data
            self._to_chip()

    def _to_chip(self) -> None:
        assert self._line
        with contextlib.suppress(OSError):  # It is full, or has gone.
            del self._typed[: self._line.send(self._typed)]
        loop = asyncio.get_running_loop()
        # Nothing more is taken from a person until the chip has had this.
        if self._typed:
            loop.remove_reader(self._ours)
            loop.add_writer(self._line, self._to_chip)
        else:
            loop.remove_writer(self._line)
            loop.add_reader(self._ours, self._from_person)
