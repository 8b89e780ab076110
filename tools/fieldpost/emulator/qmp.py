"""QEMU's control channel: a command and its answer, and what it tells unasked.

Specification: docs/interop/qmp-spec.rst in QEMU's source.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

_ANSWER_S = 10.0
_LINE_BYTES_MAX = 1 << 20


class Qmp:
    """One connection. on_event: called with each event's name and its data."""

    def __init__(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, end: socket.socket) -> None:
        """Over a connected socket, which is closed with it."""
        reader, self._writer = await asyncio.open_connection(sock=end, limit=_LINE_BYTES_MAX)
        self._reading = asyncio.create_task(self._read(reader))
        await self.do("qmp_capabilities")

    async def do(self, command: str, **arguments: Any) -> Any:
        """What it returns. Raises OSError if it refuses, or does not answer in time."""
        assert self._writer
        request = {"execute": command, "arguments": arguments}
        self._writer.write(json.dumps(request).encode() + b"\n")
        answer = await asyncio.wait_for(self._answers.get(), _ANSWER_S)
        if "error" in answer:
            raise OSError(f"{command}: {answer['error'].get('desc')}")
        return answer["return"]

    def close(self) -> None:
        """Say no more, and hear no more."""
        if self._reading:
            self._reading.cancel()
        if self._writer:
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            said = json.loads(line)
            if "event" in said:
                self._on_event(said["event"], said.get("data", {}))
            elif "return" in said or "error" in said:
                self._answers.put_nowait(said)
