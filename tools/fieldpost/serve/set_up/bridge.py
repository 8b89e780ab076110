"""A serial port that a browser has opened, as `socket://127.0.0.1:PORT` for the tools here.

So a board is reached by the code that every other command has for boards. Nobody but this machine
can connect, and only one at a time.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from fieldpost.mqtt.brokers import HOST

_READ_BYTES = 1024


class Bridge:
    """From `start` until `close`. to_browser: given what a tool writes to the board."""

    def __init__(self, to_browser: Callable[[bytes], Awaitable[None]]) -> None:
        self._to_browser = to_browser
        self._server: asyncio.Server | None = None
        self._tool: asyncio.StreamWriter | None = None
        self.url = ""

    async def start(self) -> None:
        """Let tools connect."""
        self._server = await asyncio.start_server(self._connect, HOST, 0)
        self.url = f"socket://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def from_browser(self, data: bytes) -> None:
        """What the board has said. While no tool is there nobody hears it, as at any port."""
        if self._tool:
            self._tool.write(data)

    def close(self) -> None:
        """The port is gone. A tool that is connected notices by the end of its connection."""
        if self._server:
            self._server.close()
        if self._tool:
            self._tool.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._tool:
            writer.close()
            return
        self._tool = writer
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(_READ_BYTES):
                    await self._to_browser(data)
        finally:
            self._tool = None
            writer.close()
