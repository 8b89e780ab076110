"""What a port of MicroPython offers the firmware, where waiting lets other nodes run."""

import socket
from collections.abc import Callable
from typing import Any

import port_modules
from port_modules import SocketModule, TimeModule

from fieldpost.swarm.hub import Hub

_READ, _WRITE = 1, 4


class Time(TimeModule):
    """`time`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def sleep_ms(self, duration_ms: float) -> None:  # type: ignore[override]  # bound to a hub
        self._hub.sleep_s(max(duration_ms, 0) / 1000)


class Sockets(SocketModule):
    """`socket`. Each name is looked up once for the whole swarm: a look-up would stop all of it.

    dialled: called with each connection that is begun.
    """

    def __init__(self, dialled: Callable[[], None]) -> None:
        self._addresses: dict[tuple[str, int], Any] = {}
        self._dialled = dialled

    def socket(self, *arguments: Any) -> port_modules.Socket:  # type: ignore[override]
        self._dialled()
        return port_modules.Socket(*arguments)

    def getaddrinfo(self, host: str, port: int, *more: Any) -> Any:  # type: ignore[override]
        key = (host, port)
        if key not in self._addresses:
            self._addresses[key] = SocketModule.getaddrinfo(host, port, *more)
        return self._addresses[key]


class _Poll(port_modules.Poll):
    """One `poll()`: looks first, and waits on the hub if nothing is ready."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def poll(self, timeout_ms: int = -1) -> list[tuple[socket.socket, int]]:
        ready = super().poll(0)
        if ready or timeout_ms == 0:
            return ready
        wanted = [(sock.fileno(), mask) for sock, mask in self._masks.items()]
        reads = [number for number, mask in wanted if mask & _READ]
        writes = [number for number, mask in wanted if mask & _WRITE]
        self._hub.wait_for(reads, writes, None if timeout_ms < 0 else timeout_ms / 1000)
        return super().poll(0)


class Select(port_modules.SelectModule):
    """`select`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def poll(self) -> _Poll:  # type: ignore[override]  # bound to a hub
        return _Poll(self._hub)
