"""A name of a broker's: where it leads can be changed, as in DNS or a proxy."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from rigs.late import accept_each, hand_on, shut

from fieldpost.mqtt.brokers import HOST

Place = tuple[str, int]


class Door:
    """Hands on connections to a loopback port, each to where `leads_to` said when it came: one
    that is open stays where it is."""

    def __init__(self, leads_to: Place) -> None:
        self.leads_to = leads_to
        self._listener = socket.create_server((HOST, 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[socket.socket] = set()

    def __enter__(self) -> Self:
        accept_each(self._listener, self._carry)
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *list(self._ends)):
            shut(end)

    def _carry(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(self.leads_to, timeout=5)
            except OSError:
                return
            far.settimeout(None)
            self._ends |= {near, far}
            with far:
                back = threading.Thread(target=hand_on, args=(far, near, 0.0), daemon=True)
                back.start()
                hand_on(near, far, 0.0)
                back.join(5)
            with contextlib.suppress(KeyError):
                self._ends -= {near, far}
