"""Serial ports that are no boards, and the lines of a bridge that is soldered to one."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
import time
import tty
from collections.abc import Iterator

import pytest

from fakes.raw_repl import RawReplBoard

# 10 kOhm and 1 uF at EN.
_RISES_S = 0.01
_BITS = {"dtr": termios.TIOCM_DTR, "rts": termios.TIOCM_RTS}


class ResetCircuit:
    """DTR and RTS of a serial bridge, and what two transistors make of them on an ESP32's board.

    From the truth table on Espressif's schematics (ESP32-DevKitC, 'auto program'): EN is low, the
    chip in reset, while RTS is up and DTR is down; IO0 is low while DTR is up and RTS is down, and
    what IO0 is when EN has risen, for which its capacitor takes some milliseconds, decides between
    the program and the bootloader. The operating system raises both lines in one step when a port
    is opened.
    """

    def __init__(self, board: RawReplBoard, monkeypatch: pytest.MonkeyPatch) -> None:
        self._board = board
        self._lines = {"dtr": True, "rts": True}
        self._was_reset = False
        self._risen_at = 0.0
        self.in_bootloader = False
        self.resets = 0
        self._real = fcntl.ioctl
        monkeypatch.setattr("fcntl.ioctl", self._ioctl)

    def _ioctl(self, fd: int, request: int, *rest: object) -> object:
        if request not in (termios.TIOCMBIS, termios.TIOCMBIC):
            return self._real(fd, request, *rest)  # type: ignore[arg-type]
        (mask,) = struct.unpack("I", bytes(rest[0]))  # type: ignore[call-overload]
        for name, bit in _BITS.items():
            if mask & bit:
                self._lines[name] = request == termios.TIOCMBIS
        dtr, rts = self._lines["dtr"], self._lines["rts"]
        is_reset, io0_low = rts and not dtr, dtr and not rts
        if is_reset and not self._was_reset:
            self.resets += 1
            self._board.hold()
        elif self._was_reset and not is_reset:
            self._risen_at = time.monotonic()
            self._board.let_go()
        if time.monotonic() - self._risen_at < _RISES_S and not is_reset:
            self.in_bootloader = io0_low
        self._was_reset = is_reset
        return 0


@contextlib.contextmanager
def silent_port() -> Iterator[str]:
    """A port on which nobody answers."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@contextlib.contextmanager
def chatty_port() -> Iterator[str]:
    """A port that prints as fast as it is read, whatever is sent to it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    end = threading.Event()
    os.set_blocking(master, False)

    def print_on() -> None:
        while not end.is_set():
            with contextlib.suppress(BlockingIOError):
                os.write(master, b"temperature 21.5 > raw REPL\r\n" * 8)
            with contextlib.suppress(BlockingIOError):
                os.read(master, 4096)

    thread = threading.Thread(target=print_on, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        end.set()
        thread.join()
        os.close(master)
        os.close(slave)
