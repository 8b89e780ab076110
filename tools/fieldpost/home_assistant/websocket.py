"""Home Assistant's WebSocket interface: one question, one answer, every failure in words."""

import json
import ssl
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from fieldpost.errors import BadFile, HomeAway, HomeRefused, Usage

DEFAULT_URL = "http://homeassistant.local:8123"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PORT = 8123
_ANSWER_MAX = 64 * 1024 * 1024
_TOKEN_MAX = 4096
_TIMEOUT_S = 30.0


class Refused(HomeRefused):
    """Home Assistant does not do what it was asked. reason: its own word for why."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def websocket_url(url: str) -> str:
    """ws://…/api/websocket of the address under which one opens Home Assistant."""
    form = f"Home Assistant's address looks like {DEFAULT_URL}"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        raise Usage(f"{form}: the port must be a number from 1 to 65535") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise Usage(form)
    if parts.username is not None or parts.query or parts.fragment:
        raise Usage(f"{form}: no login stands in it, the token comes by itself")
    where = parts.netloc
    if port is None and "://" not in url:
        where = f"{where}:{_PORT}"
    path = parts.path.rstrip("/").removesuffix("/api/websocket")
    return urlunsplit((_SCHEMES[parts.scheme], where, path + "/api/websocket", "", ""))


def read_token(variable: str | None, file: Path | None) -> str:
    """The long-lived access token. Raises CommandError, which never repeats it."""
    if file is not None:
        try:
            with file.open(encoding="utf-8") as opened:
                token = opened.read(_TOKEN_MAX + 1)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise BadFile(f"cannot read the token from {file}: {why}") from None
    else:
        token = variable or ""
    token = token.strip()
    if not token:
        raise Usage(
            "a long-lived access token is needed: make one in Home Assistant (your profile, "
            "Security), and give it in FIELDPOST_HA_TOKEN or in a file with --token-file"
        )
    if len(token) > _TOKEN_MAX or not token.isascii() or not token.isprintable():
        raise Usage("that is no token: it is one line of letters, digits, dots and -_")
    return token


class HomeAssistant:
    """A connection that is logged in. `version`: as Home Assistant says it.

    `now_s`: its clock when we connected, Unix seconds; None if it did not say.
    """

    def __init__(self, url: str, token: str, ca: Path | None = None) -> None:
        self._url = websocket_url(url)
        self.address = self._url.removesuffix("/api/websocket")
        self._asked = 0
        self._connection = self._dial(ca)
        try:
            self.version = self._log_in(token)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def now_s(self) -> float | None:
        response = self._connection.response
        try:
            said = response.headers["Date"] if response else ""
            return parsedate_to_datetime(said).timestamp()
        except (KeyError, ValueError):
            return None

    def ask(self, kind: str, **arguments: Any) -> Any:
        """The result of a command. Raises Refused with Home Assistant's reason."""
        self._asked += 1
        answer = self._exchange({"id": self._asked, "type": kind, **arguments})
        while answer.get("id") != self._asked or answer.get("type") != "result":
            answer = self._receive()
        if answer.get("success") is True:
            return answer.get("result")
        error = answer.get("error")
        told = error if isinstance(error, dict) else {}
        raise _refusal(kind, str(told.get("code")), str(told.get("message"))[:300])

    def _dial(self, ca: Path | None) -> ClientConnection:
        secure = self._url.startswith("wss:")
        try:
            context = ssl.create_default_context(cafile=ca) if secure else None
        except (OSError, ssl.SSLError) as error:
            raise BadFile(f"cannot use the certificate {ca}: {error}") from None
        try:
            # No proxy: it is on this network, and what http_proxy names may not see the token.
            return connect(
                self._url,
                ssl=context,
                proxy=None,
                open_timeout=_TIMEOUT_S,
                close_timeout=2,
                max_size=_ANSWER_MAX,
            )
        except ssl.SSLError as error:
            why = error.reason or "no TLS"
            raise HomeAway(f"{self.address} is not to be trusted: {why}") from None
        except TimeoutError:
            raise HomeAway(f"{self.address} does not answer") from None
        except InvalidURI:
            raise Usage(f"{self.address} is no address") from None
        except InvalidHandshake as error:
            raise HomeAway(
                f"{self.address} answers, but not as Home Assistant does ({error})"
            ) from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise HomeAway(f"{self.address} cannot be reached: {why}") from None

    def _log_in(self, token: str) -> str:
        first = self._receive()
        if first.get("type") != "auth_required":
            raise HomeAway(f"{self.address} is no Home Assistant: it asks for no token")
        answer = self._exchange({"type": "auth", "access_token": token})
        if answer.get("type") != "auth_ok":
            raise HomeRefused(
                f"{self.address} refuses the token: it was deleted, is not complete, or belongs "
                "to another Home Assistant"
            )
        return str(answer.get("ha_version", ""))

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        self._guarded(lambda: self._connection.send(json.dumps(message)))
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        text = self._guarded(lambda: self._connection.recv(timeout=_TIMEOUT_S))
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise HomeAway(f"{self.address} answers, but not as Home Assistant does")
        return told

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except TimeoutError:
            raise HomeAway(f"{self.address} no longer answers") from None
        except ConnectionClosed:
            raise HomeAway(f"{self.address} closed the connection") from None


def _refusal(kind: str, code: str, message: str) -> Refused:
    if code == "unauthorized":
        return Refused(code, "only an administrator's token may import statistics")
    if code == "unknown_command":
        return Refused(code, f"this Home Assistant has no {kind}: is its recorder on?")
    return Refused(code, f"Home Assistant refuses {kind}: {message} ({code})")
