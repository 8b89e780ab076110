"""The page's end of a Pico without MicroPython: its drive at this computer, or a file for it."""

import asyncio
import json
import threading
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fieldpost.flash.images import Image
from fieldpost.messages import payload
from fieldpost.serve.request import Wrong, body
from fieldpost.serve.set_up import drive
from fieldpost.serve.set_up.job import Source, Tell, Told, tell_end


class Pico:
    """source: what a board gets."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # Of two drives nobody could tell which is meant.
        self._one_at_a_time = threading.Lock()
        self._obtained: dict[str, Image] = {}

    def routes(self) -> list[BaseRoute]:
        """All under /api/."""
        return [
            Route("/api/set-up/pico", self._boards),
            Route("/api/set-up/image", self._obtain, methods=["POST"]),
            Route("/api/set-up/image/{board}", self._file),
            WebSocketRoute("/api/drive", self._put_on),
        ]

    async def _boards(self, _request: Request) -> Response:
        return JSONResponse({"boards": drive.boards()})

    async def _obtain(self, request: Request) -> Response:
        """{"board": …}: fetch and check its image; then it can be had as a file."""
        board = (await body(request)).get("board")
        if not isinstance(board, str):
            raise Wrong("a board is a name")
        said: list[str] = []

        def tell(one: dict[str, Any]) -> None:
            if one["kind"] == "say":
                said.append(one["text"])

        image = await run_in_threadpool(drive.image_for, board, self._source, Told(tell))
        self._obtained[board] = image
        told = {"name": image.path.name, "size": image.size, "sha256": image.sha256}
        return JSONResponse({**told, "drive": drive.DRIVES.get(image.chip), "said": said})

    async def _file(self, request: Request) -> Response:
        image = self._obtained.get(request.path_params["board"])
        if image is None:
            raise Wrong("that image was not asked for")
        return FileResponse(image.path, filename=image.path.name)

    async def _put_on(self, socket: WebSocket) -> None:
        """One that is put on, told as it goes on, until it is done or the page lets go."""
        await socket.accept()
        if not self._one_at_a_time.acquire(blocking=False):
            await socket.close(1013)
            return
        is_over = threading.Event()
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(one: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(told.put_nowait, one)

        sending = asyncio.ensure_future(_send(socket, told))
        work = None
        try:
            asked = payload.read(await socket.receive_text())
            board = asked.get("board")
            work = asyncio.ensure_future(asyncio.to_thread(self._do, str(board), tell, is_over))
            await socket.receive_text()  # The page says nothing more; it may go.
        except (WebSocketDisconnect, payload.Unreadable, KeyError, RuntimeError):
            pass
        finally:
            is_over.set()
            try:
                if work:
                    await work
            finally:
                sending.cancel()
                self._one_at_a_time.release()

    def _do(self, board: str, tell: Tell, is_over: threading.Event) -> None:
        told = Told(tell)
        tell_end(lambda: drive.put_on(board, self._source, told, is_over.is_set), tell)


async def _send(socket: WebSocket, told: "asyncio.Queue[dict[str, Any]]") -> None:
    while True:
        await socket.send_text(json.dumps(await told.get()))
