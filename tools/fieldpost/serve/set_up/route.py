"""The page's end of a board: bytes both ways, what is to be done with it, and how far that is."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fieldpost.messages import payload
from fieldpost.serve.set_up.bridge import Bridge
from fieldpost.serve.set_up.job import Source, set_up, tell_end, wanted_of
from fieldpost.serve.set_up.pico import Pico

_WAITING_MAX = 256
_BOARDS_MAX = 4


class Boards:
    """Boards that pages have. source: what they get."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._count = 0

    def routes(self) -> list[BaseRoute]:
        """All that a board is set up by, but for the form."""
        return [WebSocketRoute("/api/board", self.serve), *Pico(self._source).routes()]

    async def serve(self, socket: WebSocket) -> None:
        """One board, until the page lets go of it."""
        await socket.accept()
        if self._count >= _BOARDS_MAX:
            await socket.close(1013)
            return
        self._count += 1
        to_page: asyncio.Queue[bytes | str] = asyncio.Queue(_WAITING_MAX)
        bridge = Bridge(to_page.put)
        await bridge.start()
        sending = asyncio.ensure_future(_send(socket, to_page))
        try:
            await self._hear(socket, bridge, to_page)
        except (WebSocketDisconnect, RuntimeError):
            pass  # The page has let go.
        finally:
            self._count -= 1
            bridge.close()
            sending.cancel()

    async def _hear(
        self, socket: WebSocket, bridge: Bridge, to_page: "asyncio.Queue[bytes | str]"
    ) -> None:
        job: threading.Thread | None = None
        loop = asyncio.get_running_loop()

        def tell(told: dict[str, Any]) -> None:
            coming = to_page.put(json.dumps(told))
            try:
                asyncio.run_coroutine_threadsafe(coming, loop)
            except RuntimeError:  # The server has ended, and the page with it.
                coming.close()

        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (data := message.get("bytes")) is not None:
                bridge.from_browser(data)
                continue
            if job and job.is_alive():
                continue
            try:
                told = payload.read(message.get("text") or "")
            except payload.Unreadable:
                continue
            job = threading.Thread(
                target=_do, args=(told, bridge.url, self._source, tell), daemon=True
            )
            job.start()


def _do(told: dict[str, Any], url: str, source: Source, tell: Any) -> None:
    def work() -> dict[str, Any]:
        return set_up(
            url, wanted_of(told), replace(source, flashes=told.get("flash") is True), tell
        )

    tell_end(work, tell, url)


async def _send(socket: WebSocket, to_page: "asyncio.Queue[bytes | str]") -> None:
    while True:
        one = await to_page.get()
        if isinstance(one, bytes):
            await socket.send_bytes(one)
        else:
            await socket.send_text(one)
