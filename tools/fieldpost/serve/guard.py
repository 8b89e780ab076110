"""Who may use the page: this machine alone, or who has the token; and no other page in between.

A browser sends requests for any page that is open in it. So what names another host than ours is
refused (a name can be made to lead here), and what changes anything has to come from our own page.
"""

import hmac
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
COOKIE = "fieldpost"
# A page of another origin can't send it without asking first, and is never allowed to.
OWN_HEADER = "x-fieldpost"
_READS = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(16)


class Guard:
    """Lets a request through to `app`, or answers it.

    names: what this machine is called in addresses, without a port; None takes any name, which is
    safe only with a token. token: None lets in whoever reaches the port.
    """

    def __init__(
        self, app: ASGIApp, *, names: Iterable[str] | None = LOOPBACK_NAMES, token: str | None
    ) -> None:
        assert names is not None or token
        self._app = app
        self._names = None if names is None else frozenset(names)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            if self._lets_in(scope):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(scope) or self._app
        await answer(scope, receive, guarded)

    def _lets_in(self, scope: Scope) -> bool:
        """A WebSocket is asked for without leave from any page, so it has to say from which."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        return (
            (self._names is None or _name(host) in self._names)
            and headers.get("origin") == f"http://{host}"
            and (self._token is None or _is(self._token, _cookie(headers)))
        )

    def _answer(self, scope: Scope) -> ASGIApp | None:
        """What is answered instead; None lets it through."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._names is not None and _name(host) not in self._names:
            return PlainTextResponse("this name does not lead here", 421)
        if scope["method"] not in _READS:
            if headers.get("origin", f"http://{host}") != f"http://{host}":
                return PlainTextResponse("another page may not do that", 403)
            if OWN_HEADER not in headers:
                return PlainTextResponse(f"the header {OWN_HEADER} is missing", 403)
            if headers.get("content-type", "").split(";")[0] != "application/json":
                return PlainTextResponse("JSON is wanted", 415)
        return self._answer_without_token(scope, headers)

    def _answer_without_token(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        if self._token is None:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if "token" in query and scope["method"] in _READS:
            if not _is(self._token, query["token"][0]):
                return PlainTextResponse("that is not the token", 401)
            # Out of the address, where it would stand in the history.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(
                COOKIE, self._token, httponly=True, samesite="strict", path="/", max_age=86_400
            )
            return answer
        given = headers.get("authorization", "").removeprefix("Bearer ") or _cookie(headers)
        if _is(self._token, given):
            return None
        return PlainTextResponse(
            "This page wants a token: open the address that `fieldpost serve` has printed.", 401
        )


def _name(host: str) -> str:
    """Of "name:port" the name; an IPv6 address stays in its brackets."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _is(token: str, given: str) -> bool:
    return hmac.compare_digest(token.encode(), given.encode())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
