"""What the page asks while a configuration is typed: the form, and what is wrong with it."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fieldpost.config.form import form
from fieldpost.errors import CommandError
from fieldpost.serve.request import Wrong, body
from fieldpost.serve.set_up import judge

# As much as a board takes of a config.json.
_BODY_MAX = 65_536


def routes() -> list[Route]:
    """All under /api/set-up/."""
    return [
        Route("/api/set-up/form", _form),
        Route("/api/set-up/check", _check, methods=["POST"]),
        Route("/api/set-up/load", _load, methods=["POST"]),
        Route("/api/set-up/file", _file, methods=["POST"]),
    ]


async def _form(_request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(form))


async def _check(request: Request) -> Response:
    """{"config": …, "secrets": …}: what is wrong with them, key by key."""
    told = await body(request, _BODY_MAX)
    config, secrets = _object(told, "config"), _object(told, "secrets")
    return JSONResponse((await run_in_threadpool(judge.judged, config, secrets)).as_json())


async def _load(request: Request) -> Response:
    """{"text": …}: the config.json that a file holds."""
    text = (await body(request, _BODY_MAX)).get("text")
    if not isinstance(text, str):
        raise Wrong("a file is a text")
    try:
        found = await run_in_threadpool(judge.loaded, text)
    except CommandError as error:
        return JSONResponse({"error": str(error)}, 422)
    return JSONResponse({"config": found.config, "left_out": found.left_out})


async def _file(request: Request) -> Response:
    """{"config": …}: the same as the file that a node reads."""
    config = _object(await body(request, _BODY_MAX), "config")
    try:
        return JSONResponse({"text": await run_in_threadpool(judge.file_of, config)})
    except CommandError as error:
        return JSONResponse({"error": str(error)}, 422)


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    if not isinstance(found, dict):
        raise Wrong(f"{name} is no object")
    return found
