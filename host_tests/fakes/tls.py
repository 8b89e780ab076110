"""TLS as a node's wire meets it: two round trips before the first byte, work for the processor,
and the ways in which a handshake fails. Nothing is encrypted.

    server = TlsServer(world, broker.accept)
    net.listen("broker", 8883, server.accept)
    context = BoardTls(world)                   # what `Board.tls_context` gives
"""

from collections.abc import Callable
from typing import Any

from fakes.connection import Connection
from fakes.sockets import POLLIN, POLLOUT, FakeSocket
from fakes.world import World

_ALERT, _HANDSHAKE, _APPLICATION = 0x15, 0x16, 0x17
_RECORD_MAX = 16_384
_HELLO = b"client hello".ljust(200, b".")
_CERTIFICATE = b"certificate".ljust(1200, b".")
_FORGED = b"forged".ljust(1200, b".")
_FINISHED = b"finished".ljust(60, b".")
# mbedTLS's numbers, as MicroPython hands them on (ssl.h).
_FATAL_ALERT, _CONN_EOF, _INVALID_RECORD = -0x7780, -0x7280, -0x7200
_UNTRUSTED = "The certificate is not correctly signed by the trusted CA"


def _record(kind: int, data: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(data).to_bytes(2, "big") + data


def _take_record(data: bytearray) -> tuple[int, bytes] | None:
    """The first record, which is taken away from `data`; None if not all of it is there."""
    if len(data) < 5:
        return None
    end = 5 + int.from_bytes(data[3:5], "big")
    if len(data) < end:
        return None
    kind, body = data[0], bytes(data[5:end])
    del data[:end]
    return kind, body


class TlsServer:
    """Speaks TLS for a server `plain(connection) -> handler`.

    Options, which are also the faults: `delay_ms()`: before each of its two flights; `fault`:
    None, or in place of its first flight "alert", "close", "reset", "plain" (what listens speaks
    something else), "silence" or "forged" (a certificate that nobody has signed).
    """

    def __init__(self, world: World, plain: Callable[[Any], Any]) -> None:
        self.world = world
        self.plain = plain
        self.delay_ms: Callable[[], float] = lambda: 0.0
        self.fault: str | None = None
        self.handshakes = 0  # that were completed

    def accept(self, connection: Connection) -> "_ServerEnd":
        return _ServerEnd(self, connection)


class _ServerEnd:
    """One connection: a handler to the network, and the connection of the plain handler."""

    def __init__(self, server: TlsServer, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._rest = bytearray()
        self._flights = 0
        self._handler: Any = None

    def received(self, data: bytes) -> None:
        self._rest += data
        while (found := _take_record(self._rest)) is not None:
            kind, body = found
            if kind == _HANDSHAKE:
                self._flights += 1
                answer = self._hello if self._flights == 1 else self._finish
                self._server.world.after_ms(self._server.delay_ms(), answer)
            elif self._handler is not None:
                self._handler.received(body)

    def closed(self, reason: str) -> None:
        if self._handler is not None:
            self._handler.closed(reason)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), _RECORD_MAX):
            self._connection.send(_record(_APPLICATION, data[start : start + _RECORD_MAX]))

    def close(self) -> None:
        self._connection.close()

    def reset(self) -> None:
        self._connection.reset()

    def _hello(self) -> None:
        connection, fault = self._connection, self._server.fault
        if fault == "silence":
            return
        if fault == "alert":
            connection.send(_record(_ALERT, b"\x02\x28"))
        elif fault == "plain":
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif fault not in ("close", "reset"):
            connection.send(_record(_HANDSHAKE, _FORGED if fault == "forged" else _CERTIFICATE))
            return
        if fault == "reset":
            connection.reset()
        else:
            connection.close()

    def _finish(self) -> None:
        self._server.handshakes += 1
        self._handler = self._server.plain(self)
        self._connection.send(_record(_HANDSHAKE, _FINISHED))


class BoardTls:
    """An `ssl.SSLContext` on a board. WORK_MS: what its processor takes for one handshake."""

    WORK_MS = 300

    def __init__(self, world: World, verifies: bool = True) -> None:
        self.world = world
        self.verify_mode = int(verifies)

    def wrap_socket(
        self,
        stream: Any,
        server_hostname: str | None = None,
        do_handshake_on_connect: bool = True,
    ) -> "TlsSocket":
        assert not do_handshake_on_connect, "a handshake within `wrap_socket` has no deadline"
        return TlsSocket(self, stream)


class TlsSocket:
    """Non-blocking, as the wire uses it: the handshake runs in its reads and writes."""

    def __init__(self, context: BoardTls, stream: Any) -> None:
        self._context = context
        self._stream = stream
        # `poll` asks the socket itself, also where the node has put something before it.
        self._socket: FakeSocket = getattr(stream, "_raw", stream)
        self._records = bytearray()  # received, and not a whole record yet
        self._plain = bytearray()
        self._out = _record(_HANDSHAKE, _HELLO)
        self._flights = 0  # of the server, that have come
        self._accepted = 0  # bytes of the caller that are in `_out`

    @property
    def state(self) -> str:
        return self._socket.state

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def close(self) -> None:
        self._socket.close()

    def write(self, buffer: Any) -> int | None:
        """As mbedTLS: what it could not send goes on with the next call, for the same bytes."""
        if not self._shaken():
            return None
        if not self._accepted:
            data = bytes(buffer)[:_RECORD_MAX]
            self._accepted = len(data)
            self._out = _record(_APPLICATION, data)
        if not self._sent():
            return None
        accepted, self._accepted = self._accepted, 0
        return accepted

    def readinto(self, buffer: Any) -> int | None:
        if not self._shaken():
            return None
        while not self._plain:
            found = self._next_record()
            if found is None:
                return None
            if not found:
                return 0
            self._plain += found[1]
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        del self._plain[:size]
        return size

    def events(self, mask: int) -> int:
        """What `poll` reports; in the handshake, whether it can go on."""
        if self._flights < 2:
            found = self._socket.events(POLLOUT if self._out else POLLIN)
            return found | mask & (POLLIN | POLLOUT) if found else 0
        waiting = POLLIN if self._plain else 0
        return self._socket.events(mask) | mask & waiting

    # Inside ------------------------------------------------------------------------------------

    def _shaken(self) -> bool:
        """Go on with the handshake; whether it is done. Raises what MicroPython raises."""
        while self._flights < 2:
            if not self._sent():
                return False
            found = self._next_record()
            if found is None:
                return False
            if not found:
                raise OSError(_CONN_EOF)
            kind, body = found
            if kind == _ALERT:
                raise OSError(_FATAL_ALERT)
            if kind != _HANDSHAKE:
                raise OSError(_INVALID_RECORD)
            self._flights += 1
            if self._flights == 1:
                self._context.world.sleep_ms(self._context.WORK_MS)
                if self._context.verify_mode and body == _FORGED:
                    raise ValueError(_UNTRUSTED)
                self._out = _record(_HANDSHAKE, _FINISHED)
        return True

    def _sent(self) -> bool:
        """Whether all of `_out` has left."""
        while self._out:
            taken = self._stream.write(self._out)
            if not taken:
                return False
            self._out = self._out[taken:]
        return True

    def _next_record(self) -> tuple[int, bytes] | tuple[()] | None:
        """A record; () at the end; None if there is none yet. Its header is read by itself, as
        mbedTLS does."""
        records = self._records
        while (found := _take_record(records)) is None:
            if records and records[0] not in (_ALERT, _HANDSHAKE, _APPLICATION):
                return 0, b""
            size = 5 + int.from_bytes(records[3:5], "big") if len(records) >= 5 else 5
            buffer = bytearray(size - len(records))
            got = self._stream.readinto(buffer)
            if got is None:
                return None
            if not got:
                return ()
            records += buffer[:got]
        return found
