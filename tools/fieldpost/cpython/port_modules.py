"""`socket`, `select` and `time` with MicroPython's manners, for the firmware under CPython.

The sockets' `read`, `readinto` and `write` return None where they would block, under TLS too, and
error numbers are Linux's everywhere, as they are on the boards.
"""

from __future__ import annotations

import select as _select
import socket as _socket
import ssl as _ssl
import time as _time
from typing import cast

_TICKS_PERIOD = 1 << 30
_POLLIN, _POLLOUT, _POLLNVAL = 1, 4, 32
_EINPROGRESS = 115
_ERRNOS = {
    ConnectionRefusedError: 111,
    ConnectionResetError: 104,
    ConnectionAbortedError: 104,
    BrokenPipeError: 104,
    TimeoutError: 110,
}


def _linux(error: OSError) -> OSError:
    """The same error, with the number it has on Linux."""
    number = _ERRNOS.get(type(error))
    return error if number is None or number == error.errno else OSError(number, str(error))


class _Stream:
    """MicroPython's stream methods over `_receive` and `_send`, which raise to say 'not now'."""

    # What a poll should wait for in place of the mask it was given: set by TLS.
    poll_mask: int | None = None

    def read(self, size: int = -1) -> bytes | None:
        """Up to `size` bytes, all until the end without; b"" at the end, None if none are here."""
        found = bytearray()
        while size < 0 or len(found) < size:
            room = bytearray(min(4096, size - len(found)) if size >= 0 else 4096)
            got = self.readinto(room)
            if not got:
                if got is None and not found:
                    return None
                break
            found += room[:got]
        return bytes(found)

    def readinto(self, buffer: bytearray | memoryview, size: int | None = None) -> int | None:
        view = memoryview(buffer)[:size]
        return self._attempt(lambda: self._receive(view))

    def write(self, buffer: bytes | bytearray | memoryview, *limits: int) -> int | None:
        """MicroPython's: write(data), write(data, length), write(data, offset, length)."""
        view = memoryview(buffer)
        if limits:
            *offset, length = limits
            view = view[sum(offset) :][:length]
        return self._attempt(lambda: self._send(view))

    def _attempt(self, operation) -> int | None:
        self.poll_mask = None
        try:
            return operation()
        except _ssl.SSLWantReadError:
            self.poll_mask = _POLLIN
        except _ssl.SSLWantWriteError:
            self.poll_mask = _POLLOUT
        except BlockingIOError:
            pass
        except OSError as error:
            raise _linux(error)
        return None

    def _receive(self, view: memoryview) -> int:
        raise NotImplementedError

    def _send(self, view: memoryview) -> int:
        raise NotImplementedError


class Socket(_Stream, _socket.socket):
    def connect(self, address) -> None:
        try:
            _socket.socket.connect(self, address)
        except BlockingIOError:
            raise OSError(_EINPROGRESS, "in progress")
        except OSError as error:
            raise _linux(error)

    def accept(self):
        plain, address = _socket.socket.accept(self)
        return Socket(fileno=plain.detach()), address

    def _receive(self, view: memoryview) -> int:
        return self.recv_into(view)

    def _send(self, view: memoryview) -> int:
        return self.send(view)


class TlsSocket(_Stream, _ssl.SSLSocket):  # type: ignore  # MicroPython's methods, on purpose
    # Read and written through SSLSocket's own methods of the same names as ours.
    def _receive(self, view: memoryview) -> int:
        return cast(int, _ssl.SSLSocket.read(self, len(view), view))

    def _send(self, view: memoryview) -> int:
        return _ssl.SSLSocket.write(self, view)


class Poll:
    """`select.poll()` of MicroPython: it answers with the objects that were registered."""

    def __init__(self) -> None:
        self._masks: dict[_socket.socket, int] = {}

    def register(self, sock: _socket.socket, mask: int = _POLLIN | _POLLOUT) -> None:
        self._masks[sock] = mask

    def modify(self, sock: _socket.socket, mask: int) -> None:
        if sock not in self._masks:
            raise OSError(2, "not registered")
        self._masks[sock] = mask

    def unregister(self, sock: _socket.socket) -> None:
        self._masks.pop(sock, None)

    def ipoll(self, timeout_ms: int = -1, _flags: int = 0):
        yield from self.poll(timeout_ms)

    def poll(self, timeout_ms: int = -1) -> list[tuple[_socket.socket, int]]:
        ready = []
        masks = {}
        for sock, mask in self._masks.items():
            if sock.fileno() < 0:
                ready.append((sock, _POLLNVAL))
            elif isinstance(sock, TlsSocket) and mask & _POLLIN and sock.pending():
                ready.append((sock, _POLLIN))  # Decrypted already: the descriptor shows nothing.
            else:
                wanted = getattr(sock, "poll_mask", None)
                masks[sock] = mask if wanted is None else wanted
        if ready:
            timeout_ms = 0
        return ready + self._wait(masks, timeout_ms)

    @staticmethod
    def _wait(masks: dict, timeout_ms: int) -> list[tuple[_socket.socket, int]]:
        if hasattr(_select, "poll"):
            poll = _select.poll()
            sockets = {}
            for sock, mask in masks.items():
                poll.register(sock, mask)
                sockets[sock.fileno()] = sock
            return [(sockets[fd], flags) for fd, flags in poll.poll(timeout_ms)]
        # Windows: a failed connection shows among the exceptional ones.
        if not masks:
            _time.sleep(max(timeout_ms, 0) / 1000)
            return []
        readers = [sock for sock, mask in masks.items() if mask & _POLLIN]
        writers = [sock for sock, mask in masks.items() if mask & _POLLOUT]
        timeout_s = None if timeout_ms < 0 else timeout_ms / 1000
        to_read, to_write, failed = _select.select(readers, writers, list(masks), timeout_s)
        flags = {}
        for sock in to_read:
            flags[sock] = _POLLIN
        for sock in [*to_write, *failed]:
            flags[sock] = flags.get(sock, 0) | _POLLOUT
        return list(flags.items())


class SocketModule:
    """MicroPython's `socket`. IPv4 only, as `socket.socket()` is."""

    AF_INET = int(_socket.AF_INET)
    SOCK_STREAM = int(_socket.SOCK_STREAM)
    SOCK_DGRAM = int(_socket.SOCK_DGRAM)
    SOL_SOCKET = _socket.SOL_SOCKET
    SO_REUSEADDR = _socket.SO_REUSEADDR
    socket = Socket

    @staticmethod
    def getaddrinfo(host, port: int, family: int = 0, kind: int = 0, *_):
        try:
            return _socket.getaddrinfo(host, port, family or _socket.AF_INET, kind)
        except _socket.gaierror as error:
            raise OSError(-2, str(error))  # EAI_NONAME on Linux; the numbers differ elsewhere.


class SelectModule:
    POLLIN, POLLOUT, POLLERR, POLLHUP = _POLLIN, _POLLOUT, 8, 16
    poll = Poll


class TimeModule:
    """MicroPython's `time`: ticks wrap at 2**30 ms, gmtime() has eight fields."""

    @staticmethod
    def ticks_ms() -> int:
        return _time.monotonic_ns() // 1_000_000 % _TICKS_PERIOD

    @staticmethod
    def ticks_us() -> int:
        return _time.monotonic_ns() // 1000 % _TICKS_PERIOD

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        return (ticks + delta) % _TICKS_PERIOD

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> int:
        half = _TICKS_PERIOD // 2
        return (later - earlier + half) % _TICKS_PERIOD - half

    @staticmethod
    def sleep_ms(duration_ms: float) -> None:
        _time.sleep(max(duration_ms, 0) / 1000)

    @staticmethod
    def time() -> float:
        return _time.time()

    @staticmethod
    def time_ns() -> int:
        return _time.time_ns()

    @staticmethod
    def gmtime(seconds: float | None = None) -> tuple:
        fields = _time.gmtime(seconds)
        return (*fields[:6], fields.tm_wday, fields.tm_yday)
