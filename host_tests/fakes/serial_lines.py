"""Serial ports that are no boards: one that says nothing, and one that never stops."""

import contextlib
import os
import pty
import threading
import tty
from collections.abc import Iterator


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
