"""What a copy notes in the store that it writes to: how far it is, and which counts it took."""

import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from fieldpost.store.rows import Key
from fieldpost.store.tables import meta
from fieldpost.stores.copying.ends import Target

# What is copied twice after an interruption costs time and nothing else.
_EVERY_S = 3.0


class Note:
    """A row of `meta`, by the identity of the store that is read."""

    def __init__(
        self, target: Target, identity: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._target = target
        self._name = f"copied_{identity}"
        self._now = now
        self._next = now() + _EVERY_S
        self._told: dict[str, Any] = json.loads(
            target.change(lambda connection: _value(connection, self._name)) or "{}"
        )

    @property
    def after(self) -> Key | None:
        """The last reading of a copy that was interrupted; None to begin."""
        key = self._told.get("after")
        return (key[0], key[1], key[2]) if key else None

    def reached(self, key: Key) -> None:
        """All readings up to this one are there."""
        self._told["after"] = list(key)
        if self._now() >= self._next:
            self._save()

    def finished(self) -> None:
        """All readings have been copied: another copy begins anew."""
        self._told.pop("after", None)
        self._save()

    def take(self, connection: Connection, name: str, total: int) -> int:
        """How much of a total is new since the last copy, noted with the transaction."""
        taken = self._told.setdefault("taken", {})
        more = max(0, total - taken.get(name, 0))
        taken[name] = max(total, taken.get(name, 0))
        self._put(connection)
        return more

    def _save(self) -> None:
        self._target.change(self._put)
        self._next = self._now() + _EVERY_S

    def _put(self, connection: Connection) -> None:
        connection.execute(meta.delete().where(meta.c.name == self._name))
        connection.execute(meta.insert().values(name=self._name, value=json.dumps(self._told)))


def _value(connection: Connection, name: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
