"""A way to a broker on which one client is told late what is published, and the others are not."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from fieldpost.mqtt.brokers import HOST

_READ_BYTES = 65536
_PUBLISH = 3


class Late:
    """Hands on connections to a loopback port. Where CONNECT has `of` in it, all that the broker
    sends comes `late_s` later, from the first message on."""

    def __init__(self, target_port: int, *, of: bytes, late_s: float) -> None:
        self._target_port = target_port
        self._of = of
        self._late_s = late_s
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        accept_each(self._listener, self._carry)
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._ends):
            shut(end)
            end.close()

    def _carry(self, near: socket.socket) -> None:
        far = socket.create_connection((HOST, self._target_port))
        self._ends += [near, far]
        first = near.recv(_READ_BYTES)
        far.sendall(first)
        late_s = self._late_s if self._of in first else 0.0
        threading.Thread(target=hand_on, args=(far, near, late_s), daemon=True).start()
        hand_on(near, far, 0.0)


def accept_each(listener: socket.socket, carry: Callable[[socket.socket], None]) -> None:
    """Each connection that comes is carried in a thread of its own, until `listener` is shut."""

    def serve() -> None:
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=carry, args=(near,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def hand_on(source: socket.socket, target: socket.socket, late_s: float) -> None:
    """What one sends the other is sent, until the end of either: that is as late as the rest."""
    waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_write, args=(waiting, target), daemon=True).start()
    is_late = False
    while True:
        try:
            data = source.recv(_READ_BYTES)
        except OSError:
            data = b""
        is_late = is_late or bool(late_s and data and data[0] >> 4 == _PUBLISH)
        waiting.put((time.monotonic() + (late_s if is_late else 0.0), data))
        if not data:
            return


def _write(waiting: queue.SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
    while True:
        at_s, data = waiting.get()
        time.sleep(max(0.0, at_s - time.monotonic()))
        if not data:
            shut(target)
            return
        try:
            target.sendall(data)
        except OSError:
            return


def shut(end: socket.socket) -> None:
    """End a connection both ways. Never raises."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
