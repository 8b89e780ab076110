"""What a page has sent: its JSON, within bounds, or why it makes no sense."""

from typing import Any

from starlette.requests import Request

from fieldpost.messages import payload

BODY_MAX = 4096


class Wrong(Exception):
    """The request makes no sense; the text says why."""


async def body(request: Request, most: int = BODY_MAX) -> dict[str, Any]:
    """The JSON object of `most` bytes that it brings. Raises Wrong."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > most:
            raise Wrong("too long")
    try:
        return payload.read(found)
    except payload.Unreadable as error:
        raise Wrong(f"the body is {error}") from None
