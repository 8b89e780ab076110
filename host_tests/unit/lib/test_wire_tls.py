"""The wire with TLS on it: which name is asked for, and what becomes of both of its sockets."""

from __future__ import annotations

import random
from typing import Any

import pytest
from wire_tls import TlsWire

from fakes.broker import Broker
from fakes.net import FakeNet
from fakes.tls import BoardTls, TlsServer, TlsSocket
from fakes.world import NodeTime, World

EPROTO = 71


class Context(BoardTls):
    """Remembers which name it was given with each socket."""

    def __init__(self, world: World, verifies: bool) -> None:
        super().__init__(world, verifies)
        self.names: list[str | None] = []
        self.made: list[TlsSocket] = []

    def wrap_socket(
        self, stream: Any, server_hostname: str | None = None, do_handshake_on_connect: bool = True
    ) -> TlsSocket:
        self.names.append(server_hostname)
        self.made.append(super().wrap_socket(stream, server_hostname, do_handshake_on_connect))
        return self.made[-1]


class Bench:
    """A wire to a server of TLS that answers to any host."""

    def __init__(self, host: str, name: str | None = None, verifies: bool = True) -> None:
        world = World()
        net = FakeNet(world, random.Random(1))
        broker = Broker(world)
        net.listen(host, 8883, TlsServer(world, broker.accept).accept)
        self.stack = net.node("node", "esp32")
        self.tls = Context(world, verifies)
        self.wire = TlsWire(
            self.stack.socket, self.stack.select, NodeTime(world), None, self.tls, name
        )
        self.host = host

    def connect(self) -> None:
        self.wire.arm(5000)
        self.wire.socket()
        self.wire.connect(self.wire.getaddrinfo(self.host, 8883)[0][-1])


@pytest.mark.parametrize(
    ("host", "name", "verifies", "asked_for"),
    [
        ("broker.lan", None, True, "broker.lan"),
        ("broker.lan", None, False, "broker.lan"),
        ("broker.lan", "b.example", True, "b.example"),
        ("broker.lan", "b.example", False, "b.example"),
        # MicroPython verifies against the name that goes to the peer, so an address has to.
        ("10.0.0.7", None, True, "10.0.0.7"),
        ("10.0.0.7", None, False, None),
        ("10.0.0.7", "b.example", False, "b.example"),
    ],
)
def test_the_name_is_what_is_configured_or_else_the_host_and_no_address_where_none_is_needed(
    host: str, name: str | None, verifies: bool, asked_for: str | None
) -> None:
    bench = Bench(host, name, verifies)
    bench.connect()
    assert bench.tls.names == [asked_for]


def test_a_connection_that_is_closed_leaves_neither_socket_open() -> None:
    bench = Bench("broker.lan")
    assert not bench.wire.handshaking, "nobody has asked for a connection yet"
    for _ in range(3):
        bench.connect()
        assert bench.wire.handshaking and bench.wire.is_open()
        bench.wire.close()
        assert bench.stack.open_sockets == []
    bench.connect()
    bench.wire.socket()
    assert not bench.wire.handshaking, "another connection has not come that far"
    bench.wire.close()
    assert bench.stack.open_sockets == []


def test_no_read_of_tls_waits_beyond_the_deadline() -> None:
    bench = Bench("broker.lan")
    bench.connect()
    begun_ms = bench.tls.world.now_ms
    assert bench.tls.made[0].readinto(bytearray(8)) is None
    assert bench.tls.world.now_ms == begun_ms, "the server's answer is on its way still"


def test_what_is_waited_at_is_tls_and_not_the_socket_below_it() -> None:
    """Bytes of a record that is not whole would end each wait, and the node would spin."""
    bench = Bench("broker.lan")
    poll = bench.stack.select.poll()
    bench.stack.select.poll = lambda: poll
    bench.wire = TlsWire(
        bench.stack.socket, bench.stack.select, NodeTime(bench.tls.world), None, bench.tls
    )
    bench.connect()
    assert list(poll._masks) == bench.tls.made


@pytest.mark.parametrize("where", ["write", "readinto"])
def test_a_certificate_that_is_not_believed_is_an_error_of_the_protocol_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("The certificate validity has expired")

    bench = Bench("broker.lan")
    bench.connect()
    monkeypatch.setattr(TlsSocket, where, refuse)
    with pytest.raises(OSError) as caught:
        if where == "write":
            bench.wire.write(b"hello")
            bench.wire.flush()
        else:
            bench.wire.available()
    assert caught.value.args[0] == EPROTO
    assert caught.value.args[1] == "The certificate validity has expired"
    assert bench.stack.open_sockets == []
