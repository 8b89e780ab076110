"""A longer way to a broker on loopback: a proxy that delays, breaks, and keeps the account.

    with Proxy(broker.port, round_trip_ms=50) as proxy:
        ...                       # connect to proxy.port
        proxy.connections()       # what each connection sent, received and waited for

Each way takes half the round trip, and the TCP handshake, which the proxy's own kernel answers at
once, is paid for by what the client sends first. The proxy acknowledges every segment at once and
writes without delay: what Nagle's algorithm would do over the whole way stays hidden.

With `fault_of` a connection breaks at a chosen byte of a chosen way: see `Fault`.
"""

import asyncio
import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_START_S = 5.0
_READ_BYTES = 65536
# struct tcp_info of Linux, include/uapi/linux/tcp.h: tcpi_data_segs_in, since Linux 4.6.
_TCP_INFO_BYTES = 256
_DATA_SEGMENTS_IN = 152


@dataclass(frozen=True)
class Fault:
    """What befalls a connection once `at_byte` bytes have gone `way` ("up": to the broker).

    how: "close" ends both sides in order, "reset" with a TCP reset; after "stall" nothing more
    passes either way, and nobody is told.
    """

    way: str
    at_byte: int
    how: str


@dataclass
class Connection:
    """One connection as the client's side saw it.

    segments: those with payload that came from the client, by the kernel's count on Linux;
    elsewhere reads, which may take in several. round_trips: one for the handshake, and one
    whenever an answer reached the client after it had sent something.
    """

    segments: int = 0
    reads: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    round_trips: int = 1
    _asked: bool = field(default=False, repr=False)
    fault: Fault | None = None
    stalled: bool = field(default=False, repr=False)
    up: bytearray = field(default_factory=bytearray, repr=False)  # if the proxy keeps it
    down: bytearray = field(default_factory=bytearray, repr=False)
    ends: tuple[asyncio.StreamWriter, ...] = field(default=(), repr=False)

    def sent(self, data: bytes) -> None:
        """The client sent `data`."""
        self.reads += 1
        self.sent_bytes += len(data)
        self._asked = True

    def received(self, data: bytes) -> None:
        """The client was handed `data`."""
        self.received_bytes += len(data)
        self.round_trips += self._asked
        self._asked = False


class Proxy:
    """Hands on connections to a loopback port, from entering `with` until leaving it.

    port: of the proxy; None picks a free one. It runs in a thread of its own.
    fault_of: called with the number of each new connection, from 0, for its Fault or None.
    keep: let each connection keep the bytes that it carried, `up` and `down`.
    """

    def __init__(
        self,
        target_port: int,
        round_trip_ms: float,
        port: int | None = None,
        fault_of: Callable[[int], Fault | None] | None = None,
        keep: bool = False,
    ) -> None:
        self._fault_of = fault_of
        self._keep = keep
        self._accepted = 0
        self.target_port = target_port
        self.round_trip_ms = round_trip_ms
        self.port = port or 0
        self._connections: list[Connection] = []
        self._carrying: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(_START_S):
            raise RuntimeError("the proxy did not start")
        if self._error:
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop and self._stop
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)

    def connections(self) -> list[Connection]:
        """Those since the start, or since the last `forget`, in their order."""
        return list(self._connections)

    def ended(self, limit_s: float = 10.0) -> list[Connection]:
        """The same, once each has ended and all of it was handed on, or after `limit_s`. What a
        client sends last is otherwise still on its way here when the client is gone."""
        assert self._loop
        asyncio.run_coroutine_threadsafe(self._end_of_all(limit_s), self._loop).result()
        return self.connections()

    def forget(self) -> None:
        """Begin the account anew."""
        self._connections.clear()

    # Inside ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._error = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        tasks = self._carrying

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._connect(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end_of_all(self, limit_s: float) -> None:
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=limit_s)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._loop
        # The client believes to be connected already: what it sends now it sends too early.
        established = self._loop.time() + self.round_trip_ms / 1000
        one = Connection(fault=self._fault_of(self._accepted) if self._fault_of else None)
        self._accepted += 1
        self._connections.append(one)
        ways: list[asyncio.Task[None]] = []
        broker_writer = None
        try:
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self.target_port)
            one.ends = (writer, broker_writer)
            near, far = (end.get_extra_info("socket") for end in (writer, broker_writer))
            ways = [
                asyncio.ensure_future(way)
                for way in (
                    self._carry(reader, near, broker_writer, established, one, "up"),
                    self._carry(broker_reader, far, writer, established, one, "down"),
                )
            ]
            await asyncio.gather(*ways)
        except OSError:
            pass  # One side is gone: the other is closed below.
        finally:
            for way in ways:
                way.cancel()
            for end in (broker_writer, writer):
                if end is not None:
                    end.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        from_socket: socket.socket,
        writer: asyncio.StreamWriter,
        established: float,
        one: Connection,
        way: str,
    ) -> None:
        """Read, and write half a round trip later, until the end; the end takes its time too."""
        assert self._loop
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.ensure_future(self._deliver(queue, writer, one, way))
        half_s = self.round_trip_ms / 2000
        try:
            data = b"-"
            while data:
                _acknowledge_at_once(from_socket)
                try:
                    data = await reader.read(_READ_BYTES)
                except OSError:
                    data = b""
                if way == "up":
                    if data:
                        one.sent(data)
                    one.segments = _data_segments(from_socket) or one.reads
                at = max(self._loop.time(), established) + half_s
                queue.put_nowait((at, data))
            await delivering
        finally:
            delivering.cancel()

    async def _deliver(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        one: Connection,
        way: str,
    ) -> None:
        assert self._loop
        fault = one.fault if one.fault and one.fault.way == way else None
        carried = 0
        while True:
            at, data = await queue.get()
            wait_s = at - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if one.stalled:
                continue
            if not data:
                writer.close()
                return
            breaks = fault is not None and carried + len(data) >= fault.at_byte
            if fault and breaks:
                data = data[: fault.at_byte - carried]
            carried += len(data)
            if self._keep:
                (one.up if way == "up" else one.down).extend(data)
            if way == "down":
                one.received(data)
            writer.write(data)
            if fault and breaks:
                await writer.drain()
                one.stalled = True
                if fault.how != "stall":
                    for end in one.ends:
                        _end(end, fault.how)
            _acknowledge_at_once(writer.get_extra_info("socket"))


def _end(writer: asyncio.StreamWriter, how: str) -> None:
    if how == "close":
        writer.close()
        return
    with contextlib.suppress(OSError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _acknowledge_at_once(sock: socket.socket) -> None:
    """Switch off delayed acknowledgements until the kernel switches them on again by itself."""
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _data_segments(sock: socket.socket) -> int | None:
    """Segments with payload that a TCP socket has received, None where the kernel won't say."""
    if sys.platform != "linux":
        return None
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(told) < _DATA_SEGMENTS_IN + 4:
        return None
    return struct.unpack_from("=I", told, _DATA_SEGMENTS_IN)[0]
