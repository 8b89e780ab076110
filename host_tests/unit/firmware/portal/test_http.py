"""The small server of the page: bounded in size and time, and deaf to garbage."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from port_modules import SelectModule, SocketModule
from rigs.portal import GOOD, HOST, everything, post, take

from firmware.board import Board
from firmware.clock import Clock
from firmware.portal.form import decode
from firmware.portal.http import Server

# Requests ---------------------------------------------------------------------------------------


def test_a_request_is_the_same_however_it_is_cut() -> None:
    rng = random.Random(1)
    data = post(urlencode(GOOD).encode(), "Cookie: " + "x" * 5000, "User-Agent: y")
    for _ in range(50):
        request, status = take(data, [rng.randrange(len(data)) for _ in range(rng.randrange(9))])
        assert status == 200
        assert (request.method, request.path, request.host) == (b"POST", b"/", HOST.encode())
        assert decode(request.body) == GOOD


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\n\n", 400),  # TLS
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 12345678901\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000, 431),
        (b"x" * 20000, 431),
        (post(b"x" * 5000), 413),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n", 200),
        (b"\r\nGET /a?b=c HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: x", None),
    ],
)
def test_what_is_out_of_bounds_is_refused(data: bytes, status: int | None) -> None:
    request, got = take(data)
    assert got == status
    assert len(request.body) <= 4096


@pytest.mark.parametrize("seed", range(5))
def test_no_bytes_raise_anything_but_a_status(seed: int) -> None:
    rng = random.Random(seed)
    good = post(urlencode(GOOD).encode())
    for _ in range(500):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        _, status = take(bytes(data), [rng.randrange(len(data))])
        assert status in (None, 200, 400, 411, 413, 431)


# The server -------------------------------------------------------------------------------------


class Hosted:
    """A server on the loopback that steps in a thread; what it asks is answered with `pieces`."""

    def __init__(self, respond: Callable[[Any], Any], clock: Any = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        clock = clock or Clock(Board().time)
        self.server = Server(SocketModule, SelectModule, clock, "127.0.0.1", self.port, respond)
        self._stop = False
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop:
            self.server.step(20)

    def __enter__(self) -> Hosted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join(5)
        self.server.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def ask(self, data: bytes = b"GET / HTTP/1.1\r\n\r\n") -> bytes:
        with self.connect() as sock:
            sock.sendall(data)
            return everything(sock)


def hello(_: Any) -> tuple[bytes, bytes, Iterator[str]]:
    return b"200 OK", b"", iter(["x" * 100] * 2000)


def test_connections_that_say_nothing_keep_nobody_out() -> None:
    with Hosted(hello) as hosted:
        silent = [hosted.connect() for _ in range(12)]
        assert len(hosted.ask()) > 200_000
        for sock in silent:
            sock.close()


def test_a_slow_reader_and_a_slow_writer_are_dropped_in_time_and_hold_nobody_up() -> None:
    late = Clock(Board().time)
    skipped_ms = 0
    real_ms = late.uptime_ms
    late.uptime_ms = lambda: real_ms() + skipped_ms
    with Hosted(lambda _: (b"200 OK", b"", iter(["x" * 1000] * 20_000)), late) as hosted:
        reader, writer = hosted.connect(), hosted.connect()
        reader.sendall(b"GET / HTTP/1.1\r\n\r\n")
        writer.sendall(b"GET / HT")
        assert len(hosted.ask()) > 1_000_000
        skipped_ms = 9000
        writer.settimeout(5)
        assert writer.recv(1) == b""
        got = b""
        try:
            got = everything(reader)
        except ConnectionResetError:
            pass
        assert len(got) < 20_000_000
        reader.close()
        writer.close()


def test_a_body_that_is_too_large_gets_its_answer_and_not_a_reset() -> None:
    with Hosted(hello) as hosted:
        assert hosted.ask(post(b"x" * 60_000)).startswith(b"HTTP/1.1 413 Content Too Large")
