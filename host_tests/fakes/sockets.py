"""The modules `socket` and `select` of a node, as MicroPython's ports have them.

What differs between the ports, and firmware has met, is in `Port`; the unix column was read off
the real port with a script, the others from the sources of extmod/modlwip.c (rp2) and
ports/esp32/modsocket.c. TLS is not here: tests of it use real sockets.
"""

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fakes.net import Connection, FakeNet

_AGAIN = 11
_BAD_DESCRIPTOR = 9
_BROKEN_PIPE = 32
_IN, _OUT, _ERR, _HUP, _INVALID = 1, 4, 8, 16, 32


class Port(NamedTuple):
    """Error numbers, limits and habits of one port's sockets."""

    name: str
    in_progress: int = 115
    timed_out: int = 110
    refused: int = 111
    reset: int = 104
    not_connected: int = 107
    unanswered: int = 110  # a handshake that nobody answers
    gave_up: int = 110  # data that nobody acknowledges
    no_name: int | str = -2
    no_descriptor: int = 23
    descriptors: int = 64
    send_buffer: int = 65_536
    connect_limit_ms: int = 127_000
    retransmit_limit_ms: int = 924_000
    name_limit_ms: int = 10_000
    error_repeats: bool = False  # an error is reported again by every call after it
    reset_discards: bool = False  # what arrived before a reset can't be read after it
    addresses_are_bytes: bool = False
    poll_flags_of_error: int = _ERR | _HUP  # beside those asked for


PORTS = {
    "unix": Port("unix", addresses_are_bytes=True, no_name="[addrinfo error -2]"),
    "esp32": Port(
        "esp32",
        in_progress=119,
        timed_out=116,
        not_connected=128,
        unanswered=113,
        gave_up=113,
        no_name=-202,
        descriptors=16,
        send_buffer=5_760,
        connect_limit_ms=18_000,
        retransmit_limit_ms=300_000,
        name_limit_ms=14_000,
        error_repeats=True,
        poll_flags_of_error=0,
    ),
    "rp2": Port(
        "rp2",
        refused=104,
        unanswered=103,
        gave_up=103,
        descriptors=8,
        no_descriptor=12,
        send_buffer=11_680,
        connect_limit_ms=18_000,
        retransmit_limit_ms=300_000,
        name_limit_ms=30_000,
        error_repeats=True,
        reset_discards=True,
        poll_flags_of_error=_HUP,
    ),
}


class Stack:
    """One node's network. `radio(up)`, `power_off()` and `power_on()` are for the simulation."""

    def __init__(self, net: "FakeNet", name: str, port: Port) -> None:
        self.net = net
        self.world = net.world
        self.name = name
        self.port = port
        self.radio_up = True
        self.powered = True
        self.open_sockets: list[FakeSocket] = []
        self.most_open = 0
        self.sockets_made = 0
        self.socket = SocketModule(self)
        self.select = SelectModule(self)

    def radio(self, up: bool, drop: bool = False) -> None:
        """The radio's link comes or goes: packets vanish, nothing is said.

        `drop`: the port notices (its interface lost the address) and ends every connection.
        """
        if up == self.radio_up:
            return
        self.radio_up = up
        self.world.note("radio", self.name, up)
        for socket in self.open_sockets[:]:
            if socket.connection is not None:
                socket.connection.radio_changed(up)
                if drop and not up:
                    socket.failed(self.port.not_connected)

    def power_off(self) -> None:
        """The node is gone without a word, and with it every descriptor."""
        self.powered = False
        self.radio_up = False
        for socket in self.open_sockets[:]:
            if socket.connection is not None:
                socket.connection.client_vanish()
            socket.state = "closed"
        self.open_sockets.clear()

    def power_on(self, radio_up: bool = True) -> None:
        self.powered = True
        self.radio_up = radio_up


class SocketModule:
    """`socket`, for one node."""

    AF_INET = 2
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    SOL_SOCKET = 1
    SO_REUSEADDR = 2

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        if stack.port.name != "unix":  # whose module has neither
            self.IPPROTO_TCP = 6
            self.TCP_NODELAY = 1

    def socket(self, family: int = 2, kind: int = 1, protocol: int = 0) -> "FakeSocket":
        return FakeSocket(self._stack, kind)

    def getaddrinfo(self, host: str, port: int, *_hints: int) -> list[tuple]:
        """Blocks like the ports do: no time-out but the port's own."""
        stack = self._stack
        net = stack.net
        if isinstance(host, bytes):
            host = host.decode()
        numeric = host.replace(".", "").isdigit()
        fault = net.name_faults.get(host)
        if not numeric:
            if not stack.radio_up:
                stack.world.sleep_ms(stack.port.name_limit_ms)
                raise OSError(stack.port.no_name)
            if fault is not None and fault.stall_ms:
                stack.world.sleep_ms(min(fault.stall_ms, stack.port.name_limit_ms))
            else:
                stack.world.sleep_ms(2 * net.conditions.latency_ms)
            if fault is not None and fault.error is not None:
                raise OSError(stack.port.no_name if fault.error == -2 else fault.error)
            if host not in net.names or not stack.radio_up:
                raise OSError(stack.port.no_name)
        address = net.address(host)
        if not stack.port.addresses_are_bytes:
            return [(2, 1, 0, "", (address, port))]
        packed = bytes(int(part) for part in address.split("."))
        return [
            (
                2,
                1,
                6,
                None,
                bytearray(struct.pack("<H", 2) + struct.pack(">H", port) + packed + bytes(8)),
            )
        ]


class SelectModule:
    """`select`, for one node."""

    POLLIN = _IN
    POLLOUT = _OUT
    POLLERR = _ERR
    POLLHUP = _HUP

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def poll(self) -> "FakePoll":
        return FakePoll(self._stack)


class FakePoll:
    def __init__(self, stack: Stack) -> None:
        self._world = stack.world
        self._masks: dict[FakeSocket, int] = {}
        self._found: list[tuple[FakeSocket, int]] = []

    def register(self, socket: "FakeSocket", mask: int = _IN | _OUT) -> None:
        if not isinstance(socket, FakeSocket):
            raise OSError("stream operation not supported")
        if socket not in self._masks and socket.state == "closed":
            raise OSError(_BAD_DESCRIPTOR)
        self._masks[socket] = mask

    def modify(self, socket: "FakeSocket", mask: int) -> None:
        if socket not in self._masks:
            raise OSError(2)
        self._masks[socket] = mask

    def unregister(self, socket: "FakeSocket") -> None:
        self._masks.pop(socket, None)

    def poll(self, timeout_ms: int = -1) -> list[tuple["FakeSocket", int]]:
        world = self._world
        if timeout_ms == 0:
            self._look()
        else:
            until_us = None if timeout_ms < 0 else world.now_us + timeout_ms * 1000
            world.wait_until(until_us, self._look)
        return self._found

    def ipoll(self, timeout_ms: int = -1, _flags: int = 0) -> Iterator[tuple["FakeSocket", int]]:
        return iter(self.poll(timeout_ms))

    def _look(self) -> bool:
        found = []
        for socket, mask in self._masks.items():
            events = socket.events(mask)
            if events:
                found.append((socket, events))
        self._found = found
        return bool(found)


class FakeSocket:
    """`state`: new (UDP stays so), connecting, connected, broken (by an error), closed."""

    def __init__(self, stack: Stack, kind: int = 1) -> None:
        if len(stack.open_sockets) >= stack.port.descriptors:
            raise OSError(stack.port.no_descriptor)
        stack.sockets_made += 1
        self.number = stack.sockets_made
        self.connection: Connection | None = None
        self.state = "new"
        self._stack = stack
        self._port = stack.port
        self._kind = kind
        self._timeout_us: int | None = None  # None blocks, 0 never does
        self._received = bytearray()
        self._datagrams: list[tuple[bytes, tuple[str, int]]] = []
        self._remote: tuple[str, int] | None = None
        self._ended = False
        self._error = 0
        stack.open_sockets.append(self)
        stack.most_open = max(stack.most_open, len(stack.open_sockets))

    # -- options -------------------------------------------------------------------------------

    def setblocking(self, blocking: bool) -> None:
        self._check_open()
        self._timeout_us = None if blocking else 0

    def settimeout(self, timeout_s: float | None) -> None:
        self._check_open()
        self._timeout_us = None if timeout_s is None else int(timeout_s * 1_000_000)

    def setsockopt(self, _level: int, _option: int, _value: Any) -> None:
        self._check_open()

    def fileno(self) -> int:
        return -1 if self.state == "closed" else self.number

    def makefile(self, _mode: str = "rb", _buffering: int = 0) -> "FakeSocket":
        return self

    # -- opening and closing -------------------------------------------------------------------

    def connect(self, address: Any) -> None:
        self._check_open()
        remote = self._decode(address)
        if self._kind == 2:
            self._remote = remote
            return
        if self.state != "new":
            raise OSError(self._error or 106)
        self.state = "connecting"
        self.connection = self._stack.net.open(self._stack, self, remote)
        if self._timeout_us == 0:
            raise OSError(self._port.in_progress)
        self._wait(lambda: self.state != "connecting")
        if self.state == "broken":
            self._raise_error()

    def close(self) -> None:
        if self.state == "closed":
            return
        if self.connection is not None:
            self.connection.client_close()
        self.state = "closed"
        self._stack.open_sockets.remove(self)

    def __enter__(self) -> "FakeSocket":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # -- reading -------------------------------------------------------------------------------

    def read(self, size: int = -1) -> bytes | None:
        """All of `size` bytes, or what came before the end; None: would block, nothing there.

        Like MicroPython's streams a time-out or an error loses what was read before it.
        """
        self._check_open()
        data = b""
        while size < 0 or len(data) < size:
            part = self._receive(size - len(data) if size >= 0 else 65_536)
            if part is None:
                return data or None
            if not part:
                break
            data += part
        return data

    def readinto(self, buffer: Any, size: int = -1) -> int | None:
        if size < 0 or size > len(buffer):
            size = len(buffer)
        data = self.read(size)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self) -> bytes | None:
        self._check_open()
        line = b""
        while not line.endswith(b"\n"):
            part = self._receive(1)
            if not part:
                return line or part
            line += part
        return line

    def recv(self, size: int) -> bytes:
        self._check_open()
        data = self.recvfrom(size)[0] if self._kind == 2 else self._receive(size)
        if data is None:
            raise OSError(_AGAIN)
        return data

    def _receive(self, size: int) -> bytes | None:
        """What one call of the port's own `recv` gives; None: would block."""
        if not self._received:
            if not self._readable() and not self._wait(self._readable):
                return None
            if self.state == "new":
                raise OSError(self._port.not_connected)
            if not self._received:
                if self._error:
                    self._raise_error()
                return b""
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _readable(self) -> bool:
        return bool(self._received or self._ended or self._error) or self.state in (
            "new",
            "broken",
            "closed",
        )

    # -- writing -------------------------------------------------------------------------------

    def write(self, buffer: Any, *limits: int) -> int | None:
        """`write(buf)`, `write(buf, size)`, `write(buf, offset, size)`; None: would block."""
        self._check_open()
        data = buffer.encode() if isinstance(buffer, str) else bytes(buffer)
        if len(limits) == 1:
            data = data[: limits[0]]
        elif limits:
            data = data[limits[0] : limits[0] + limits[1]]
        done = 0
        while done < len(data):
            taken = self._send(data[done:] if done else data)
            if taken is None:
                return done or None
            done += taken
        return done

    def send(self, buffer: Any) -> int:
        self._check_open()
        taken = self._send(bytes(buffer)) if len(buffer) else 0
        if taken is None:
            raise OSError(_AGAIN)
        return taken

    def sendall(self, buffer: Any) -> None:
        self.write(buffer)

    def _send(self, data: bytes) -> int | None:
        """What one call of the port's own `send` takes; None: would block."""
        if self._kind == 2 and self._remote is not None:
            return self.sendto(data, self._remote)
        connection = self.connection
        if self.state == "connected" and connection is not None:
            room = connection.room()
            if self._timeout_us == 0 and connection.conditions.partial and room:
                room = self._scant(room, len(data))
            if room == 0:
                if not self._wait(self._writable):
                    return None
                return self._send(data)
            taken = data[:room]
            connection.client_send(taken)
            return len(taken)
        if self.state == "connecting":
            if not self._wait(self._writable):
                return None
            return self._send(data)
        if self._error:
            self._raise_error()
        raise OSError(_BROKEN_PIPE)

    def _scant(self, room: int, size: int) -> int:
        """A send buffer that some of the time has less room than asked for."""
        rng = self._stack.net.rng
        if rng.random() >= self.connection.conditions.partial:
            return room
        scant = min(room, rng.randrange(size + 1))
        if scant == 0:
            self._stack.world.after_ms(1, _nothing)
        return scant

    def _writable(self) -> bool:
        if self.state == "connected":
            return self.connection.room() > 0
        return self.state != "connecting"

    # -- UDP -----------------------------------------------------------------------------------

    def sendto(self, data: Any, address: Any) -> int:
        self._check_open()
        remote = self._decode(address)
        self._stack.net.datagram(self._stack, self, bytes(data), remote)
        return len(data)

    def recvfrom(self, size: int) -> tuple[bytes, Any]:
        self._check_open()
        if not self._datagrams and not self._wait(lambda: bool(self._datagrams)):
            raise OSError(_AGAIN)
        data, source = self._datagrams.pop(0)
        return data[:size], source

    # -- what the network tells it -------------------------------------------------------------

    def connected(self) -> None:
        if self.state == "connecting":
            self.state = "connected"

    def arrived(self, data: bytes) -> None:
        if self.state == "connected" and not self._ended:
            self._received += data

    def ended(self) -> None:
        self._ended = True

    def failed(self, error: int) -> None:
        if self.state in ("closed", "broken"):
            return
        self.state = "broken"
        self._error = 0 if self._ended and not self._port.error_repeats else error
        if self._port.reset_discards:
            self._received.clear()

    def datagram_arrived(self, data: bytes, source: tuple[str, int]) -> None:
        if self.state != "closed" and self._stack.radio_up:
            self._datagrams.append((data, source))

    def events(self, mask: int) -> int:
        """What `poll` reports."""
        state = self.state
        if state == "connected":
            events = 0
            if mask & _IN and (self._received or self._ended):
                events = _IN
            if mask & _OUT and self.connection.room() > 0:
                events |= _OUT
            return events
        if state == "connecting":
            return 0
        if state == "closed":
            return _INVALID
        if self._kind == 2:
            return mask & (_IN | _OUT if self._datagrams else _OUT)
        if state == "new":
            return (mask & _OUT) | _HUP
        if self._error or self._port.error_repeats:
            return (mask & (_IN | _OUT)) | self._port.poll_flags_of_error
        return (mask & (_IN | _OUT)) | _HUP

    # -- helpers -------------------------------------------------------------------------------

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Block as the socket's mode says. False: would block; raises at the time-out."""
        world = self._stack.world
        if self._timeout_us == 0:
            return ready()
        until_us = None if self._timeout_us is None else world.now_us + self._timeout_us
        if world.wait_until(until_us, ready):
            return True
        raise OSError(self._port.timed_out)

    def _raise_error(self) -> None:
        error = self._error
        if not self._port.error_repeats:
            self._error = 0
            self._ended = True
        raise OSError(error)

    def _check_open(self) -> None:
        if self.state == "closed":
            raise OSError(_BAD_DESCRIPTOR)

    def _decode(self, address: Any) -> tuple[str, int]:
        if self._port.addresses_are_bytes:
            if isinstance(address, tuple):
                raise TypeError("object with buffer protocol required")
            port = address[2] << 8 | address[3]
            return ".".join(str(part) for part in address[4:8]), port
        return self._stack.net.address(address[0]), address[1]


def _nothing() -> None:
    """Time for a wait to look again."""
