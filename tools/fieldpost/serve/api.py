"""What a page asks for, as JSON, out of the store and of what is known of nodes now."""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fieldpost.errors import CommandError
from fieldpost.home_assistant.units import unit_of
from fieldpost.serve import curve, history, settings
from fieldpost.serve.bench import Bench
from fieldpost.serve.commands import Commands
from fieldpost.serve.journal import Journal
from fieldpost.serve.overview import Overview
from fieldpost.serve.relay import FAULTS
from fieldpost.serve.request import Wrong, body

_TIME_MAX = 2**33
_POINTS = 600
_STREAMS_MAX = 40


@dataclass(frozen=True)
class Api:
    """The parts that answer."""

    engine: Engine
    overview: Overview
    journal: Journal
    commands: Commands
    bench: Bench
    is_connected: Any

    def routes(self) -> list[Route]:
        """All under /api/."""
        return [
            Route("/api/nodes", self.nodes),
            Route("/api/nodes/{node}/extent", self.extent),
            Route("/api/nodes/{node}/curve", self.curve),
            Route("/api/nodes/{node}/gaps", self.gaps),
            Route("/api/events", self.events),
            Route("/api/settings", self.settings),
            Route("/api/bench", self.at_bench),
            Route("/api/live", self.live),
            Route("/api/nodes/{node}/commands", self.command, methods=["POST"]),
            Route("/api/bench/fault", self.fault, methods=["POST"]),
        ]

    def nodes(self, _request: Request) -> Response:
        """All of them."""
        return _json(
            {
                "nodes": self.overview.rows(),
                "is_loaded": self.overview.is_loaded,
                "now": time.time(),
                "cursor": self.journal.name,
            }
        )

    def extent(self, request: Request) -> Response:
        """From when to when there are readings."""
        found = curve.extent(self.engine, request.path_params["node"])
        return _json({"begin": found and found[0], "end": found and found[1]})

    def curve(self, request: Request) -> Response:
        """Of `field`, from `begin` to `end`, of at most `points` points."""
        node, field = request.path_params["node"], request.query_params.get("field", "")
        if not curve.is_field(field):
            raise Wrong("no curve can be drawn of a field of that name")
        begin, end = _range(request)
        points = int(_number(request, "points", 10, curve.POINTS_MAX, _POINTS))
        row = self.overview.row(node) or {}
        late_s = row.get("expected_delay_s", 5.0)
        made = curve.curve(self.engine, node, field, begin, end, points, late_s)
        return _json({**made, "unit": unit_of(field), "interval_s": row.get("interval_s")})

    def gaps(self, request: Request) -> Response:
        """What is missing between `begin` and `end`."""
        begin, end = _range(request)
        return _json({"gaps": curve.gaps(self.engine, request.path_params["node"], begin, end)})

    def events(self, request: Request) -> Response:
        """The newest first; of `node`, and with numbers below `before`, if these are given."""
        before = _number(request, "before", -(2**62), 2**62, 0)
        # An event that was copied has a number below 0, and none has 0.
        if before == 0 and "before" in request.query_params:
            raise Wrong("no event has the number 0")
        node = request.query_params.get("node")
        return _json({"events": history.events(self.engine, node, int(before) or None)})

    def settings(self, _request: Request) -> Response:
        """Those that can be sent to a node one by one."""
        return _json({"settings": settings.known()})

    def at_bench(self, _request: Request) -> Response:
        """The broker, and what can be done to it."""
        return _json({**self.bench.told(), "is_connected": bool(self.is_connected())})

    async def live(self, request: Request) -> Response:
        """Server-sent events."""
        if self.journal.streams >= _STREAMS_MAX:
            return _json({"error": "too many pages look on"}, 503)
        cursor = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return StreamingResponse(
            self.journal.stream(cursor),
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},
        )

    async def command(self, request: Request) -> Response:
        """{"do": …, "arguments": {…}}, or of a setting {"do": "set", "key": …, "typed": …}."""
        told = await body(request)
        do, arguments = told.get("do"), told.get("arguments", {})
        if not isinstance(do, str) or not isinstance(arguments, dict):
            raise Wrong("a command is a name and its arguments")
        node = request.path_params["node"]
        if do == "set":
            key, typed = told.get("key"), told.get("typed")
            if not isinstance(key, str) or not isinstance(typed, str):
                raise Wrong("a setting is a key and what was typed")
            value = settings.read_value(typed)
            if why := settings.refusal(key, value):
                return _json({"error": why, "sent": False}, 422)
            arguments = {"key": key, "value": value}
        elif do == "restart" and not told.get("sure"):
            raise Wrong("a restart wants to be confirmed")
        name = await run_in_threadpool(self.commands.ask, node, do, arguments)
        self.journal.add("asked", {"node": node, "do": do, "id": name, "at": time.time()})
        return _json({"id": name, "sent": True})

    async def fault(self, request: Request) -> Response:
        """{"fault": one of them}."""
        fault = (await body(request)).get("fault")
        relay = self.bench.relay
        if relay is None:
            raise Wrong("this broker is another's: its faults are not ours to make")
        if fault not in FAULTS:
            raise Wrong("no such fault")
        try:
            await run_in_threadpool(relay.be, fault)
        except (OSError, TimeoutError) as error:
            return _json({"error": f"that could not be done: {error}"}, 500)
        self.journal.add("bench", {**self.bench.told(), "at": time.time()})
        return _json({"fault": relay.fault})


def explained(_request: Request, error: Exception) -> Response:
    """What a page is told of a request that failed."""
    if isinstance(error, Wrong):
        return _json({"error": str(error)}, 400)
    if isinstance(error, SQLAlchemyError):
        return _json({"error": "the store can't be read now"}, 503)
    assert isinstance(error, CommandError)
    return _json({"error": str(error), "sent": False}, 502)


def _json(told: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(told, status)


def _range(request: Request) -> tuple[float, float]:
    begin = _number(request, "begin", 0, _TIME_MAX, 0)
    end = _number(request, "end", 0, _TIME_MAX, _TIME_MAX)
    if not begin < end:
        raise Wrong("begin is not before end")
    return begin, end


def _number(request: Request, name: str, low: float, high: float, default: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise Wrong(f"{name} is no number") from None
    if not low <= value <= high:
        raise Wrong(f"{name} is not from {low:g} to {high:g}")
    return value
