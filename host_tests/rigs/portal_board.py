"""A board with an access point of its own on the loopback, and phones that visit its page.

The sockets are real, all runs in one thread, and time goes on only while the board waits.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import port_modules
from rigs.portal import GOOD, HOST, LOOPBACK, post, token_of

from fakes.clock import FakeTime
from firmware.clock import Clock
from firmware.log import Log
from firmware.portal.run import run

# What the loopback may need to hand a packet on, in real time.
_REAL_MS = 20
HTTP_PORT, DNS_PORT = 80, 53
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


class PromptSocket(port_modules.Socket):
    """One that never waits for its peer: all the rest of the board would wait with it."""

    port = 0  # that it is bound to
    made: list[PromptSocket]  # all of this board's: one that is not closed stays open there

    def bind(self, address: Any) -> None:
        super().bind(address)
        self.port = self.getsockname()[1]

    def accept(self) -> tuple[PromptSocket, Any]:
        self._check()
        plain, address = socket.socket.accept(self)
        accepted = PromptSocket(fileno=plain.detach())
        accepted.made = self.made
        self.made.append(accepted)
        return accepted, address

    def recvfrom(self, *args: Any) -> Any:
        self._check()
        return super().recvfrom(*args)

    def _receive(self, view: memoryview) -> int:
        self._check()
        return super()._receive(view)

    def _send(self, view: memoryview) -> int:
        self._check()
        return super()._send(view)

    def _check(self) -> None:
        assert self.gettimeout() == 0, "this socket waits for its peer"


class Sockets:
    """MicroPython's `socket` as lwIP has it: a name has one address. The board's own address is
    the loopback here, and its ports are free ones: see `port`. send_bytes: what a socket takes
    before it is full; None: as the host has it.
    """

    AF_INET, SOCK_DGRAM = port_modules.SocketModule.AF_INET, port_modules.SocketModule.SOCK_DGRAM
    SOL_SOCKET, SO_REUSEADDR = socket.SOL_SOCKET, socket.SO_REUSEADDR

    def __init__(self, send_bytes: int | None = None) -> None:
        self.made: list[PromptSocket] = []
        self._send_bytes = send_bytes
        self._ports: dict[int, int] = {}

    def socket(self, *kind: int) -> PromptSocket:
        made = PromptSocket(*kind)
        if self._send_bytes:
            # Those that a listener accepts have its size.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_bytes)
        made.made = self.made
        self.made.append(made)
        return made

    def getaddrinfo(self, _host: str, port: int) -> list[tuple[Any, ...]]:
        return [(self.AF_INET, 0, 0, "", (LOOPBACK, self._ports.get(port, 0)))]

    def port(self, port: int) -> int:
        """Where the board's port is on this machine, now and when it is opened again."""
        kind = self.SOCK_DGRAM if port == DNS_PORT else port_modules.SocketModule.SOCK_STREAM
        if port not in self._ports:
            self._ports[port] = next(one.port for one in self.made if one.type == kind)
        return self._ports[port]


class World(Protocol):
    """What else happens while the board waits."""

    @property
    def is_busy(self) -> bool:
        """Whether something may be on its way over the loopback."""
        ...

    def go_on(self, now_ms: int) -> int | None:
        """Do what is due; when the next is, or None."""
        ...


class Select:
    """MicroPython's `select`, whose polls take none but the time of `time`."""

    POLLIN, POLLOUT = port_modules.SelectModule.POLLIN, port_modules.SelectModule.POLLOUT

    def __init__(self, time: FakeTime, world: World) -> None:
        self._time = time
        self._world = world

    def poll(self) -> Poll:
        return Poll(self._time, self._world)


class Poll(port_modules.Poll):
    def __init__(self, time: FakeTime, world: World) -> None:
        super().__init__()
        self._time = time
        self._world = world

    def poll(self, timeout_ms: int = -1) -> list[tuple[socket.socket, int]]:
        until_ms = self._time.elapsed_ms + timeout_ms
        while True:
            due_ms = self._world.go_on(self._time.elapsed_ms)
            found = super().poll(_REAL_MS if self._world.is_busy else 0)
            if found or self._time.elapsed_ms >= until_ms:
                return found
            next_ms = until_ms if due_ms is None else min(due_ms, until_ms)
            self._time.advance_ms(next_ms - self._time.elapsed_ms)


class Phones:
    """Whoever visits: `at` says when and what. `answers`: (when it was whole, its bytes), …"""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._plans: list[tuple[int, Callable[[], bytes | None]]] = []
        self._open: list[tuple[socket.socket, bytearray]] = []
        self.answers: list[tuple[int, bytes]] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._open)

    def at(self, elapsed_ms: int, act: Callable[[], bytes | None]) -> None:
        """Do so then; bytes that it returns are sent to the page, on a connection of their own."""
        self._plans.append((elapsed_ms, act))
        self._plans.sort(key=lambda one: one[0])

    def go_on(self, now_ms: int) -> int | None:
        while self._plans and self._plans[0][0] <= now_ms:
            request = self._plans.pop(0)[1]()
            if request:
                sock = socket.create_connection((LOOPBACK, self._sockets.port(HTTP_PORT)), 5)
                sock.sendall(request)
                sock.setblocking(False)
                self._open.append((sock, bytearray()))
        for sock, got in list(self._open):
            if _is_whole(sock, got):
                self._open.remove((sock, got))
                self.answers.append((now_ms, bytes(got)))
                sock.close()
        return self._plans[0][0] if self._plans else None


def _is_whole(sock: socket.socket, got: bytearray) -> bool:
    """Takes what has come; whether that was all."""
    try:
        while data := sock.recv(65536):
            got += data
    except BlockingIOError:
        return False
    return True


class Point:
    """The access point, with the habits of firmware/board/access_point.py."""

    address = HOST
    http_port = HTTP_PORT
    dns_port = DNS_PORT
    open_ms = 600_000

    def __init__(self) -> None:
        self.in_range = [(b"Home", -50, False)]
        self.country: str | None = None
        self.radio_is_on = False
        self.opened: tuple[str, str] | None = None  # its name and password, while it is open
        self.error: OSError | None = None  # of a radio that opens none

    def begin(self, country: str | None = None) -> None:
        self.country = country
        self.radio_is_on = True

    def scan(self) -> list[tuple[bytes, int, bool]]:
        if not self.radio_is_on:
            raise OSError(5)
        return self.in_range

    def open(self, ssid: str, password: str) -> None:
        if self.error:
            raise self.error
        self.opened = (ssid, password)

    def close(self) -> None:
        self.opened = None
        self.radio_is_on = False


class Board:
    """What the page needs of one. A restart and a sleep end the program, as they do on a board."""

    def __init__(self, time: FakeTime, sockets: Sockets, select: Select) -> None:
        self._time = time
        self.socket = sockets
        self.select = select
        self.point: Point | None = Point()
        self.cause = "power-on"
        self.held: tuple[int, ...] = ()  # pins whose buttons somebody holds
        self.lit: list[tuple[int, bool]] = []  # each change of the LED, and when it was
        self._numbers = 0

    def reset_cause(self) -> str:
        return self.cause

    def uid(self) -> str:
        return "e6614c311b5a2f35"

    def random_u32(self) -> int:
        self._numbers += 1
        return self._numbers

    def access_point(self) -> Point | None:
        return self.point

    def led(self, on: bool) -> None:
        self.lit.append((self._time.elapsed_ms, on))

    def pin(self, number: int, mode: str, pull: str) -> Button:
        if number > 40:
            raise ValueError("invalid pin")
        assert (mode, pull) == ("in", "up"), "a button to ground shows at a pin that is pulled up"
        return Button(number in self.held)

    def restart(self) -> None:
        raise Restarted

    def deep_sleep(self, ms: int) -> None:
        raise Asleep(ms)


class Button:
    def __init__(self, is_held: bool) -> None:
        self._is_held = is_held

    def value(self) -> int:
        return 0 if self._is_held else 1


class Restarted(BaseException):
    """The program has ended."""


class Asleep(BaseException):
    """It has ended too; with for how many ms."""


class Opening:
    """A board, its console and its visitors. `lines`: (when it was said, a line), …"""

    def __init__(self, uptime_ms: int = 0) -> None:
        self.time = FakeTime()
        self.sockets = Sockets()
        self.phones = Phones(self.sockets)
        self.board = Board(self.time, self.sockets, Select(self.time, self.phones))
        self.lines: list[tuple[int, str]] = []
        self.clock = Clock(self.time, uptime_ms=uptime_ms)
        self.log = Log(self.clock, lambda line: self.lines.append((self.time.elapsed_ms, line)))

    def run(self, failed: Any = None, has_led: bool = True) -> bool:
        return run(self.board, self.clock, self.log, failed, has_led)

    def said(self, text: str) -> list[int]:
        """When a line with this text was on the console."""
        return [at for at, line in self.lines if text in line]


def form_of(opening: Opening, **change: str) -> bytes:
    """What a phone sends that fills in the form of the last page that it got."""
    token = token_of(opening.phones.answers[-1][1].decode())
    return post(urlencode({**GOOD, "token": token, **change}).encode())


def submit(opening: Opening, at_ms: int, **change: str) -> None:
    """Have a phone ask for the page, and send its form at `at_ms`."""
    opening.phones.at(at_ms - 500, lambda: GET)
    opening.phones.at(at_ms, lambda: form_of(opening, **change))
