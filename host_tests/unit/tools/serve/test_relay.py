"""The way to the broker, and what befalls it: for who is connected, and for who comes."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from fieldpost.serve.relay import Relay


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(4096):
                self.request.sendall(data)
        except ConnectionResetError:
            pass  # That is what some of these tests do.


@pytest.fixture
def relay() -> Iterator[Relay]:
    """In front of something that says what it is told."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with Relay(server.server_address[1]) as one:
            one.delay_ms = 300
            yield one
        server.shutdown()
        thread.join()


def connected(relay: Relay) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", relay.port), timeout=3)
    one.sendall(b"hello")
    assert one.recv(9) == b"hello"
    return one


def test_all_that_is_said_passes_both_ways(relay: Relay) -> None:
    data = bytes(range(256)) * 2000
    with connected(relay) as one:
        assert relay.connections == 1
        sender = threading.Thread(target=one.sendall, args=(data,))
        sender.start()
        got = b""
        while len(got) < len(data):
            got += one.recv(65536)
        sender.join()
    assert got == data


def test_away_cuts_off_who_is_there_and_nobody_listens_until_it_ends(relay: Relay) -> None:
    with connected(relay) as one:
        relay.be("away")
        with pytest.raises(ConnectionResetError):
            one.recv(9)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.port), timeout=3)
    port = relay.port
    relay.be("none")
    assert relay.port == port
    connected(relay).close()


def test_refuse_ends_each_connection_at_once(relay: Relay) -> None:
    connected(relay)
    relay.be("refuse")
    with socket.create_connection(("127.0.0.1", relay.port), timeout=3) as one:
        assert one.recv(9) == b""


def test_drop_tells_nobody_and_its_end_ends_the_connection_that_lost_bytes(relay: Relay) -> None:
    with connected(relay) as one:
        relay.be("drop")
        one.sendall(b"lost")
        one.settimeout(0.3)
        with pytest.raises(TimeoutError):
            one.recv(9)
        relay.be("none")
        with pytest.raises(ConnectionResetError):
            one.recv(9)


def test_delay_holds_up_each_way_and_keeps_the_order(relay: Relay) -> None:
    with connected(relay) as one:
        relay.be("delay")
        begin = time.monotonic()
        one.sendall(b"1")
        time.sleep(0.05)
        one.sendall(b"2")
        got = b""
        while len(got) < 2:
            got += one.recv(9)
        assert got == b"12" and time.monotonic() - begin >= 0.3


def test_slow_lets_few_bytes_pass_in_a_second(relay: Relay) -> None:
    with connected(relay) as one:
        relay.be("slow")
        begin = time.monotonic()
        one.sendall(b"x" * 120)
        got = b""
        while len(got) < 120:
            got += one.recv(199)
        assert 0.45 < time.monotonic() - begin < 3


def test_a_broker_that_is_not_there_ends_the_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with (
            Relay(free.getsockname()[1]) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=3) as one,
        ):
            assert one.recv(9) == b""
