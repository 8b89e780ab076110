"""A node's sockets and `poll`, with the methods and habits of MicroPython's.

TLS is not here: tests of it use real sockets.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fakes.connection import Connection
from fakes.network_ends import Node
from fakes.ports import POLLHUP, POLLIN, POLLNVAL, POLLOUT

_AGAIN = 11
_BAD_DESCRIPTOR = 9
_BROKEN_PIPE = 32
_NOTHING: list = []


class FakePoll:
    def __init__(self, stack: Node) -> None:
        self._world = stack.world
        self._masks: dict[FakeSocket, int] = {}
        self._found: list[tuple[FakeSocket, int]] = []

    def register(self, socket: "FakeSocket", mask: int = POLLIN | POLLOUT) -> None:
        if not hasattr(socket, "events"):  # A socket, or TLS on one.
            raise OSError("stream operation not supported")
        if socket in self._masks or socket.state != "closed":  # a closed one never reports
            self._masks[socket] = mask

    def modify(self, socket: "FakeSocket", mask: int) -> None:
        if socket not in self._masks:
            raise OSError(2)
        self._masks[socket] = mask

    def unregister(self, socket: "FakeSocket") -> None:
        self._masks.pop(socket, None)

    def poll(self, timeout_ms: int = -1) -> list[tuple["FakeSocket", int]]:
        if timeout_ms:
            world = self._world
            until_us = None if timeout_ms < 0 else world.now_us + timeout_ms * 1000
            world.wait_until(until_us, self._look)
        else:
            self._look()
        return self._found

    def ipoll(self, timeout_ms: int = -1, _flags: int = 0) -> Iterable[tuple["FakeSocket", int]]:
        return self.poll(timeout_ms)

    def _look(self) -> bool:
        self._found = _NOTHING
        for socket, mask in self._masks.items():
            if events := socket.events(mask):
                self._found = [*self._found, (socket, events)]
        return self._found is not _NOTHING


class FakeSocket:
    """`state`: new (UDP stays so), connecting, connected, broken (by an error), closed."""

    def __init__(self, stack: Node, kind: int = 1) -> None:
        if len(stack.open_sockets) >= stack.port.descriptors:
            raise OSError(stack.port.no_descriptor)
        stack.sockets_made += 1
        self.number = stack.sockets_made
        self.connection: Connection | None = None
        self.options: list[tuple[int, int, Any]] = []  # set, and of no effect here
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

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self._check_open()
        self.options.append((level, option, value))

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
        received = self._received
        if size < 0 or size > len(buffer):
            size = len(buffer)
        if self._timeout_us == 0 and not self._error and self.state == "connected":
            # The usual case: what has arrived, or nothing yet.
            if received:
                size = min(size, len(received))
                buffer[:size] = received[:size]
                del received[:size]
                return size
            if not self._ended:
                return None
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
                if self._error and not self._ended:
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
                room = self._scant(connection, room, len(data))
                if room == 0:
                    return None
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

    def _scant(self, connection: Connection, room: int, size: int) -> int:
        """A send buffer that some of the time has less room than asked for."""
        rng = self._stack.net.rng
        if rng.random() >= connection.conditions.partial:
            return room
        return min(room, rng.randrange(size)) if rng.random() < 0.7 else 0

    def _writable(self) -> bool:
        if self.state == "connected" and self.connection is not None:
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
        self._error = error
        if self._ended:  # a reset that answers what was sent to a peer that had closed
            self._error = error if self._port.error_repeats else _BROKEN_PIPE
            self._ended = not self._port.error_repeats
        if self._port.reset_discards:
            self._received.clear()

    def datagram_arrived(self, data: bytes, source: tuple[str, int]) -> None:
        if self.state != "closed" and self._stack.radio_up:
            self._datagrams.append((data, source))

    def events(self, mask: int) -> int:
        """What `poll` reports."""
        state = self.state
        connection = self.connection
        if state == "connected" and connection is not None:
            events = 0
            if mask & POLLIN and (self._received or self._ended):
                events = POLLIN
            if mask & POLLOUT and connection.room() > 0:
                events |= POLLOUT
            return events
        if state == "connecting":
            return 0
        if state == "closed":
            return POLLNVAL
        if self._kind == 2:
            return mask & (POLLIN | POLLOUT if self._datagrams else POLLOUT)
        if state == "new":
            return (mask & POLLOUT) | POLLHUP
        if self._error or self._port.error_repeats:
            return (mask & (POLLIN | POLLOUT)) | self._port.poll_flags_of_error
        return (mask & (POLLIN | POLLOUT)) | POLLHUP

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
