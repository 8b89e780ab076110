"""A way to the broker that can be made a bad one while nodes use it.

It listens where nodes come, and carries what they say to the broker on loopback. What befalls
them then is what befalls nodes in the field, and they can't tell one from the other.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from fieldpost.mqtt.brokers import HOST
from fieldpost.processes.started import Started

Fault = Literal["none", "away", "refuse", "drop", "delay", "slow"]
FAULTS: tuple[Fault, ...] = ("none", "away", "refuse", "drop", "delay", "slow")
DELAY_MS = 2000
SLOW_BYTES_PER_S = 200
_START_S = 5.0
_READ_BYTES = 4096
_SLICE_S = 0.05


@dataclass(eq=False)
class _Way:
    """One connection: its two ends."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None


class Relay(Started):
    """Carries connections from `host`:`port` to `target_port` of this machine.

    Faults: "away": nobody listens, and who was connected is cut off. "refuse": a connection ends
    as soon as it begins, as at a broker that lets nobody in. "drop": what is said arrives nowhere,
    and nobody is told. "delay": each way takes half of `delay_ms` longer. "slow":
    so many bytes in a second.
    """

    def __init__(self, target_port: int, host: str = HOST, port: int = 0) -> None:
        self._target_port = target_port
        self._host = host
        self.port = port
        self.fault: Fault = "none"
        self.delay_ms = DELAY_MS
        self._ways: set[_Way] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def connections(self) -> int:
        """How many nodes are connected."""
        return len(self._ways)

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._thread.start()
        self._ask(self._listen())

    def close(self) -> None:
        """Cut off everybody, and end."""
        if self._thread.is_alive():
            with contextlib.suppress(OSError, TimeoutError):
                self._ask(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_S)

    def be(self, fault: Fault) -> None:
        """From now on, for those who are connected and those who come. From any thread."""
        self._ask(self._be(fault))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _ask(self, asked: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(asked, self._loop).result(_START_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._connect, self._host, self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        self._cut_off()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _be(self, fault: Fault) -> None:
        before, self.fault = self.fault, fault
        if fault == "away" and self._server:
            self._server.close()
            self._server = None
        if fault in ("away", "refuse") or before == "drop":
            # After "drop" both sides believe in a connection in which bytes are missing.
            self._cut_off()
        if fault != "away" and self._server is None:
            await self._listen()

    def _cut_off(self) -> None:
        for way in list(self._ways):
            for end in (way.near, way.far):
                if end:
                    _reset(end)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault in ("refuse", "away"):
            writer.close()
            return
        way = _Way(writer)
        self._ways.add(way)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, way.far = await asyncio.open_connection(HOST, self._target_port)
            tasks = [
                asyncio.ensure_future(self._carry(reader, way.far)),
                asyncio.ensure_future(self._carry(far_reader, writer)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass  # The broker is not there: the node is told by the end of its connection.
        finally:
            self._ways.discard(way)
            for end in (way.far, writer):
                if end:
                    end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends. What is delayed keeps its order, and keeps others from nothing."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        delivering = asyncio.ensure_future(self._deliver(queue, writer))
        try:
            while data := await reader.read(_READ_BYTES):
                if self.fault == "drop":
                    continue
                delay_s = self.delay_ms / 2000 if self.fault == "delay" else 0.0
                await queue.put((self._loop.time() + delay_s, data))
            await queue.put((0.0, b""))
            await delivering
        except OSError:
            pass  # It was cut off.
        finally:
            delivering.cancel()

    async def _deliver(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            at, data = await queue.get()
            if not data:
                return
            await asyncio.sleep(max(0.0, at - self._loop.time()))
            while data and self.fault == "slow":
                piece = max(1, int(SLOW_BYTES_PER_S * _SLICE_S))
                writer.write(data[:piece])
                data = data[piece:]
                await asyncio.sleep(_SLICE_S)
            if data:
                writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """As a broker that has died: its machine answers with a reset."""
    with contextlib.suppress(OSError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
