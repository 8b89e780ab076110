"""The page's own files, and what it asks for, behind the guard."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fieldpost.errors import CommandError
from fieldpost.serve.api import Api, explained
from fieldpost.serve.guard import LOOPBACK_NAMES, Guard
from fieldpost.serve.request import Wrong
from fieldpost.serve.set_up import questions
from fieldpost.serve.set_up.route import Boards

PAGE = Path(__file__).parent / "page"


def make_app(
    api: Api,
    boards: Boards,
    *,
    names: Iterable[str] | None = LOOPBACK_NAMES,
    token: str | None = None,
) -> Guard:
    """names, token: who may come, as Guard has it."""
    app = Starlette(
        routes=[
            Route("/", _index),
            *api.routes(),
            *questions.routes(),
            *boards.routes(),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        exception_handlers={
            Wrong: explained,
            CommandError: explained,
            SQLAlchemyError: explained,
        },
    )
    return Guard(app, names=names, token=token)


def _index(_request: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})
