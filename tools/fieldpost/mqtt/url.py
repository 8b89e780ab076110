"""`mqtt[s]://[user:password@]host[:port]`, read with an error that says what is wrong with it.

No message here repeats a password, nor anything that may turn out to be one.
"""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from fieldpost.errors import Usage
from fieldpost.mqtt.tls import ClientFiles

DEFAULT_URL = "mqtt://127.0.0.1:1883"
_FORM = "a broker's address looks like mqtt://[user:password@]host[:port]"
_FOLLOWS = (
    "nothing may follow the port. The topic is an argument of its own; "
    "in a password write / as %2F, ? as %3F, # as %23 and @ as %40"
)
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is, and who we are to it. tls: None without TLS. told: what users are told of
    it, where we have another way to it than they."""

    host: str
    port: int = 1883
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ClientFiles | None = None
    told: str | None = None

    def __str__(self) -> str:
        if self.told:
            return self.told
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def parse(url: str, files: ClientFiles | None = None) -> BrokerAddress:
    """The address in `url`. Percent-encoded bytes in user and password are decoded.

    files: for mqtts://, and for that alone; None: those that the environment names.

    Raises CommandError naming what is wrong, without the credentials.
    """
    if "://" not in url and "@" in url:
        # What stands before an @ stays unprinted.
        raise Usage(f"{_FORM}: this one has no mqtt:// or mqtts:// in front")
    if "://" not in url:
        # A host, or host:port; an IPv6 address has colons of its own.
        is_ipv6 = url.count(":") > 1 and "[" not in url
        url = f"mqtt://[{url}]" if is_ipv6 else f"mqtt://{url}"
    login, at, _ = url.partition("://")[2].rpartition("@")
    if at and set(login) & set("/?#"):
        raise Usage(f"{_FORM}: {_FOLLOWS}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Usage(f"{_FORM}: the port must be a number from 1 to 65535") from None
    _check(parts)
    if port == 0:
        raise Usage(f"{_FORM}: the port must be a number from 1 to 65535")
    assert parts.hostname  # _check saw to it
    is_given = files is not None and files.given()
    if parts.scheme == "mqtt" and is_given:
        raise Usage("--ca, --cert and --key are for TLS: write mqtts:// in the address")
    tls = None
    if parts.scheme == "mqtts":
        tls = (files or ClientFiles()).or_environment()
    return BrokerAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=None if parts.username is None else _decoded(parts.username),
        password=None if parts.password is None else _decoded(parts.password),
        tls=tls,
    )


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Usage(
            f"{_FORM}: in user or password, percent signs do not make UTF-8. A percent sign "
            "itself is %25, an é is %C3%A9"
        ) from None


def _check(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS:
        raise Usage(f"{_FORM}: this one begins with {parts.scheme}://")
    if not parts.hostname:
        raise Usage(f"{_FORM}: this one names no host")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise Usage(f"{_FORM}: no host can have the name in this one") from None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise Usage(f"{_FORM}: {_FOLLOWS}")
    if parts.password and not parts.username:
        raise Usage(f"{_FORM}: there is a password but no user; MQTT 3.1.1 needs both")
