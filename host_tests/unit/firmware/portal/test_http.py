"""The small server of the page: bounded in size and time, and deaf to garbage."""

from __future__ import annotations

import random
import socket
import struct
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from rigs.garbage import Garbage, no_collection
from rigs.portal import GOOD, HOST, LOOPBACK, post, take
from rigs.portal_board import GET, HTTP_PORT, Poll, Select, Sockets

from fakes.clock import FakeTime
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
    ends = [at for at, byte in enumerate(data) if byte == 10]
    for cuts in (ends, [at + 1 for at in ends], list(range(len(data)))):
        request, status = take(data, cuts)
        assert status == 200 and decode(request.body) == GOOD


def test_a_request_is_whole_with_its_last_byte_and_not_before() -> None:
    data = post(b"a=1")
    assert take(data[:-1])[1] is None
    request, status = take(data + b"&b=2")
    assert status == 200 and request.body == b"a=1"


def test_the_longest_form_is_taken_whole() -> None:
    request, status = take(post(b"x" * 4096), [200, 2000])
    assert status == 200 and request.body == b"x" * 4096


def test_a_port_belongs_to_the_host_that_was_asked_for() -> None:
    request, _ = take(b"GET / HTTP/1.1\r\nHOST:  Fieldpost.Local:8080 \r\n\r\n")
    assert request.host == b"fieldpost.local:8080"


def test_of_a_long_line_its_beginning_counts_and_the_rest_takes_no_memory() -> None:
    data = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n"
    for cuts in ([], [100, 200, 300], list(range(0, len(data), 7))):
        request, status = take(data, cuts)
        assert status == 200 and request.host == HOST.encode()
        assert request.path == b"/" + b"a" * (256 - len(b"GET /"))


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_a_head_has_up_to_16_kib_without_its_line_ends(more: int, status: int) -> None:
    first, last = b"GET / HTTP/1.1\r", b"\r"
    cookie = b"Cookie: " + b"x" * (16_384 + more - len(first) - len(last) - 8)
    assert take(first + b"\n" + cookie + b"\n" + last + b"\n")[1] == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"G3T / HTTP/1.1\r\n\r\n", 400),
        (b"OPTIONS / HTTP/1.1\r\n\r\n", 200),
        (b"PROPFIND / HTTP/1.1\r\n\r\n", 400),
        (b"GET / \r\n\r\n", 200),
        (b"GET /\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 100 + b"\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
        (post(b"x" * 4096), 200),
        (post(b"x" * 4097), 413),
        (b"\x16\x03\x01\x02\x00\x01\n\n", 400),  # TLS
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 12345678901\r\n", 413),
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


def hello(_: Any) -> tuple[bytes, bytes, Iterable[str]]:
    return b"200 OK", b"X: y\r\n", ["Hello, ", "world"]


_LINES = [f"{number:09}\n" for number in range(20_000)]


def long(_: Any) -> tuple[bytes, bytes, Iterable[str]]:
    return b"200 OK", b"", iter(_LINES)


class Hosted:
    """A server on the loopback that steps when it is told to, and its clients.

    send_bytes: what a socket of the server takes before it is full.
    """

    is_busy = True

    def __init__(
        self, respond: Callable[[Any], Any] = hello, send_bytes: int | None = None
    ) -> None:
        self.time = FakeTime()
        self.sockets = Sockets(send_bytes)
        self.respond = respond
        self.polls: list[Poll] = []
        self.server = self.open()
        self._clients: list[socket.socket] = []

    def open(self) -> Server:
        clock = Clock(self.time)
        return Server(self.sockets, self, clock, HOST, HTTP_PORT, self._answer)

    def _answer(self, request: Any) -> Any:
        return self.respond(request)

    # As `select` and as its world.
    POLLIN, POLLOUT = Select.POLLIN, Select.POLLOUT

    def poll(self) -> Poll:
        self.polls.append(Poll(self.time, self))
        return self.polls[-1]

    def go_on(self, _now_ms: int) -> None:
        return None

    # Clients.
    def connect(self, data: bytes = b"") -> socket.socket:
        """One whose connection was taken, and that has sent this."""
        client = socket.socket()
        if data and self.respond is long:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((LOOPBACK, self.sockets.port(HTTP_PORT)))
        client.sendall(data)
        client.setblocking(False)
        self._clients.append(client)
        self.step(2)
        return client

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.server.step(0)

    def wait(self, ms: int) -> None:
        """Nothing happens for so long."""
        self.time.advance_ms(ms)
        self.step()

    def ends(self, client: socket.socket) -> bytes:
        """All that comes until the server closes."""
        found, end = b"", time.monotonic() + 5
        while time.monotonic() < end:
            try:
                data = client.recv(65536)
            except BlockingIOError:
                self.server.step(0)
                continue
            if not data:
                return found
            found += data
        raise AssertionError("the server keeps the connection open")

    def ask(self, data: bytes = GET) -> bytes:
        return self.ends(self.connect(data))

    def is_quiet(self) -> bool:
        """Whether a step waits as long as it may: nothing that has gone wakes it."""
        before_ms = self.time.elapsed_ms
        self.server.step(500)
        return self.time.elapsed_ms - before_ms == 500

    def close(self) -> None:
        self.server.close()
        for client in self._clients:
            client.close()


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    one = Hosted()
    yield one
    one.close()


@pytest.fixture
def slow() -> Iterator[Hosted]:
    """One whose answers are longer than what its sockets take at once."""
    one = Hosted(long, 4096)
    yield one
    one.close()


def is_open(client: socket.socket) -> bool:
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def reset(client: socket.socket) -> None:
    """Goes as a phone out of range does, once it is back: with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_an_answer_is_whole_and_no_browser_keeps_it(hosted: Hosted) -> None:
    assert hosted.ask() == (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\nX: y\r\n\r\n"
        b"Hello, world"
    )
    assert hosted.is_quiet()


def test_a_long_answer_arrives_whole_however_little_the_network_takes_at_once(
    slow: Hosted,
) -> None:
    head, _, text = slow.ask().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert text.decode() == "".join(_LINES)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"garbage\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "411 Length Required"),
        (post(b"x" * 60_000), "413 Content Too Large"),
        (b"x" * 16_385, "431 Request Header Fields Too Large"),
    ],
)
def test_a_request_that_is_refused_is_told_why_and_not_reset(
    hosted: Hosted, data: bytes, told: str
) -> None:
    got = hosted.ask(data).decode()
    assert got.startswith(f"HTTP/1.1 {told}\r\n")
    assert "\r\nContent-Type: text/plain\r\n" in got and got.endswith(f"\r\n\r\n{told}")


def test_of_those_who_say_nothing_the_first_makes_way_for_the_fifth(hosted: Hosted) -> None:
    silent = [hosted.connect() for _ in range(4)]
    assert all(is_open(one) for one in silent)
    assert hosted.ask().endswith(b"world")
    assert [is_open(one) for one in silent] == [False, True, True, True]
    assert hosted.ask().endswith(b"world")
    assert [is_open(one) for one in silent] == [False, True, True, True]


def test_many_who_say_nothing_keep_nobody_out(hosted: Hosted) -> None:
    silent = [hosted.connect() for _ in range(12)]
    assert hosted.ask().endswith(b"world")
    assert [is_open(one) for one in silent] == [False] * 9 + [True] * 3


def test_while_four_are_being_answered_a_fifth_waits_for_its_turn(slow: Hosted) -> None:
    four = [slow.connect(GET) for _ in range(4)]
    slow.time.slept_ms = 0
    fifth = slow.connect(GET)
    # It waits at the door, so nothing else does: the processor would only turn around.
    assert 0 < slow.time.slept_ms <= 2 * 10
    assert all(len(slow.ends(one)) > 200_000 for one in (*four, fifth))


def test_who_says_nothing_for_eight_seconds_is_dropped(hosted: Hosted) -> None:
    client = hosted.connect()
    client.send(b"GET / HT")
    hosted.wait(7999)
    assert is_open(client)
    hosted.wait(1)
    assert not is_open(client) and hosted.is_quiet()


def test_who_takes_nothing_of_its_answer_for_eight_seconds_is_dropped(slow: Hosted) -> None:
    client = slow.connect()
    slow.wait(7000)
    client.send(GET)
    slow.step(2)
    slow.wait(7999)
    assert not slow.server.is_idle()
    slow.wait(1)
    assert slow.server.is_idle() and slow.is_quiet()
    assert len(slow.ends(client)) < 200_000


def test_a_slow_reader_holds_nobody_up(slow: Hosted) -> None:
    slow.connect(GET)
    assert len(slow.ask()) > 200_000


def test_the_server_is_idle_unless_it_has_to_answer(slow: Hosted) -> None:
    assert slow.server.is_idle()
    slow.connect()
    assert slow.server.is_idle()
    client = slow.connect(GET)
    assert not slow.server.is_idle()
    slow.ends(client)
    assert slow.server.is_idle()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"\n"])
def test_who_goes_before_it_has_asked_is_forgotten(hosted: Hosted, sent: bytes) -> None:
    for leave in (socket.socket.close, reset):
        client = hosted.connect(sent)
        leave(client)
        hosted.step()
        assert hosted.is_quiet()
    assert hosted.ask().endswith(b"world")


def test_who_goes_within_its_answer_is_forgotten(slow: Hosted) -> None:
    client = slow.connect(GET)
    assert not slow.server.is_idle()
    reset(client)
    slow.step(2)
    assert slow.server.is_idle() and slow.is_quiet()


class Eager(Poll):
    """Says once that all can be read, as a poll may: whatever there was has gone since."""

    is_wrong = True

    def poll(self, timeout_ms: int = -1) -> list[tuple[socket.socket, int]]:
        if self.is_wrong:
            self.is_wrong = False
            return [(sock, 1) for sock in self._masks]
        return super().poll(timeout_ms)


def test_a_client_that_has_gone_before_it_was_taken_holds_nobody_up() -> None:
    class Wrong(Hosted):
        def poll(self) -> Poll:
            return Eager(self.time, self)

    hosted = Wrong()
    hosted.step()
    assert hosted.is_quiet() and hosted.ask().endswith(b"world")
    hosted.close()


# Memory -----------------------------------------------------------------------------------------


def test_where_memory_ends_within_an_answer_it_is_freed_and_the_next_one_asks_again(
    hosted: Hosted,
) -> None:
    left: list[weakref.ref[Garbage]] = []

    def exhausted(_: Any) -> None:
        left.append(weakref.ref(Garbage()))
        raise MemoryError

    other = hosted.connect()
    hosted.respond = exhausted
    with no_collection():
        assert hosted.ask() == b"" and hosted.is_quiet()
        assert left[0]() is None, "what the answer took is kept"
    assert is_open(other)
    hosted.respond = hello
    assert hosted.ask().endswith(b"world")


def test_where_memory_ends_within_a_connection_that_one_alone_is_closed() -> None:
    left: list[weakref.ref[Garbage]] = []

    class Full(Poll):
        is_full = False

        def register(self, sock: socket.socket, mask: int = 5) -> None:
            if self.is_full:
                left.append(weakref.ref(Garbage()))
                raise MemoryError
            super().register(sock, mask)

    class Small(Hosted):
        def poll(self) -> Poll:
            self.full = Full(self.time, self)
            return self.full

    hosted = Small()
    other = hosted.connect()
    hosted.full.is_full = True
    with no_collection():
        assert not is_open(hosted.connect())
        assert left[0]() is None, "what the connection took is kept"
    hosted.full.is_full = False
    assert is_open(other) and hosted.is_quiet()
    other.send(GET)
    assert hosted.ends(other).endswith(b"world")
    assert hosted.ask().endswith(b"world")
    hosted.close()


# Closing ----------------------------------------------------------------------------------------


def test_once_closed_nothing_is_open_and_the_page_can_be_opened_again_at_once(
    hosted: Hosted,
) -> None:
    port = hosted.sockets.port(HTTP_PORT)
    hosted.ask()  # The server closed it, so the port is in TIME_WAIT (RFC 9293 3.6.1).
    client = hosted.connect()
    hosted.server.close()
    assert not is_open(client)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), 1)
    hosted.server = hosted.open()
    assert hosted.sockets.port(HTTP_PORT) == port and hosted.ask().endswith(b"world")


def test_a_socket_that_is_watched_is_stepped_when_it_can_be_read_and_closed_with_the_rest(
    hosted: Hosted,
) -> None:
    ours, theirs = socket.socketpair()
    hosted.server.watch(ours, lambda: seen.append(ours.recv(9)))
    seen: list[bytes] = []
    hosted.step()
    assert seen == []
    theirs.send(b"x")
    hosted.step()
    assert seen == [b"x"] and hosted.is_quiet()
    hosted.server.close()
    assert theirs.recv(1) == b""
    theirs.close()
