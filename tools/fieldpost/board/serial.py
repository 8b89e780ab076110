"""A serial port on which no wait is without an end."""

import time
from typing import Any

# Enough for a node's last words.
_HEARD_MAX = 512


class LimitReached(Exception):
    """The deadline has passed."""


class LimitedSerial:
    """The serial port as mpremote sees it, with a deadline that every call keeps.

    Its own time-out is the slice in which it waits. heard_at: when something last came. heard: the
    last of what came.
    """

    def __init__(self, port: Any) -> None:
        self.port = port
        self._pending = b""
        self.deadline = 0.0
        self.heard_at = 0.0
        self.heard = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def inWaiting(self) -> int:  # mpremote's name for it
        self._check()
        return len(self._pending) + self.port.in_waiting

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, waited for: mpremote takes a byte of flow control that is late for
        nonsense, and a board that erases flash is silent for longer than a slice."""
        data, self._pending = self._pending[:size], self._pending[size:]
        while len(data) < size:
            self._check()
            data += self.port.read(size - len(data))
        return data

    def read_some(self) -> bytes:
        """Whatever has come, or b"" after a moment of silence."""
        self._check()
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        data = self.port.read(max(1, min(self.port.in_waiting, 4096)))
        if data:
            self.heard_at = time.monotonic()
            self.heard = (self.heard + data)[-_HEARD_MAX:]
        return data

    def unread(self, data: bytes) -> None:
        self._pending = data + self._pending

    def write(self, data: bytes) -> int:
        self._check()
        return self.port.write(data)

    def _check(self) -> None:
        if time.monotonic() > self.deadline:
            raise LimitReached
