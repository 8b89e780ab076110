"""`sqlite:///FILE` or `postgresql://…`, read with an error that says what is wrong with it.

No message here repeats a password, nor anything that may turn out to be one.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from fieldpost.errors import Usage

DEFAULT_URL = "sqlite:///readings.db"
_FORMS = (
    "a store's address looks like sqlite:///readings.db (in this folder), "
    "sqlite:////var/lib/fieldpost/readings.db or postgresql://user:password@host/database"
)
Kind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True)
class StoreAddress:
    """kind: the program behind it. url: as SQLAlchemy takes it, with the password in it. file: of
    SQLite. shown: for people, without a password."""

    kind: Kind
    url: str = field(repr=False)
    shown: str
    file: Path | None = None

    def __str__(self) -> str:
        return self.shown


def parse(text: str) -> StoreAddress:
    """The address in `text`. Raises CommandError naming what is wrong, without the credentials."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        raise Usage(f"{_FORMS}: this one has neither of them in front")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(rest)
    raise Usage(f"{_FORMS}: this one begins with {scheme[:40]}://")


def _sqlite(rest: str) -> StoreAddress:
    if not rest.startswith("/"):
        raise Usage(f"{_FORMS}: three slashes stand before a file in this folder")
    path = rest[1:].partition("?")[0]
    if not path or path == ":memory:":
        raise Usage(f"{_FORMS}: this one names no file, and readings are to be kept")
    if path.endswith("/"):
        raise Usage(f"{_FORMS}: this one names a folder")
    file = Path(unquote(path))
    return StoreAddress("sqlite", f"sqlite:///{file}", f"sqlite:///{file}", file)


def _postgresql(rest: str) -> StoreAddress:
    try:
        parts = urlsplit(f"postgresql://{rest}")
        port = parts.port
    except ValueError:
        raise Usage(f"{_FORMS}: the port must be a number from 1 to 65535") from None
    if port == 0:
        raise Usage(f"{_FORMS}: the port must be a number from 1 to 65535")
    database = parts.path.lstrip("/")
    if not database or "/" in database or parts.fragment:
        raise Usage(
            f"{_FORMS}: one database is named behind the host. "
            "In a password write @ as %40, / as %2F, ? as %3F and # as %23"
        )
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if port:
        shown += f":{port}"
    user = f"{parts.username}@" if parts.username else ""
    return StoreAddress(
        "postgresql",
        f"postgresql+psycopg://{rest}",
        f"postgresql://{user}{shown}/{database}",
    )
