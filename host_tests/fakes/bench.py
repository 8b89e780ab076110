"""One node, one server, one socket: what a test of the network starts from."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from fakes.net import Conditions, Connection, FakeNet, Stack
from fakes.world import World


class Echo:
    """A server that keeps what it hears and answers `+` to every segment, or what it is told."""

    def __init__(self, answer: Callable[[Connection, bytes], None] | None = None) -> None:
        self.heard = b""
        self.ends: list[str] = []
        self.connection: Connection | None = None
        self._answer = answer or (lambda connection, data: connection.send(b"+"))

    def accept(self, connection: Connection) -> "Echo":
        self.connection = connection
        return self

    def received(self, data: bytes) -> None:
        self.heard += data
        self._answer(self.connection, data)

    def closed(self, reason: str) -> None:
        self.ends.append(reason)


class Bench:
    """One node, one server, 10 ms each way."""

    def __init__(self, port: str = "unix", answer: Any = None, **conditions: Any) -> None:
        self.world = World()
        self.net = FakeNet(self.world, random.Random(7))
        self.net.conditions = Conditions(**{"latency_ms": 10, **conditions})
        self.server = Echo(answer)
        self.listener = self.net.listen("server", 1883, self.server.accept)
        self.stack: Stack = self.net.node("node", port)
        self.socket = self.stack.socket.socket()

    def address(self, host: str = "server", port: int = 1883) -> Any:
        return self.stack.socket.getaddrinfo(self.net.address(host), port)[0][-1]

    def connect(self, blocking: bool = False) -> Any:
        self.socket.connect(self.address())
        self.socket.setblocking(blocking)
        return self.socket

    def poll(self, mask: int = 5, timeout_ms: int = 1000) -> int:
        poll = self.stack.select.poll()
        poll.register(self.socket, mask)
        found = poll.poll(timeout_ms)
        return found[0][1] if found else 0

    def error(self, action: Callable[[], Any]) -> Any:
        with pytest.raises(OSError) as caught:
            action()
        return caught.value.args[0]
