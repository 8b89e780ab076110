"""Events of nodes, each once: what came before, or another collector has stored, is known.

An event has no number of its own. So the events of one kind of a node are followed in their order:
one that was stored since the last of ours, with the same text, is the one that we have here. What
is retained comes at every subscription, and is known as the last that there is.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, text

from fieldpost.store.rows import Event, Written
from fieldpost.store.tables import events

# Only one writes events at a time, so that each sees what the others have written.
_LOCK = 4_620_231_602
# An answer is told apart by the id in it, and a node sends it again until it has arrived.
_ANSWERS_LOOKED_AT = 50
_FOLLOWED_MAX = 10_000


class EventWriter:
    """Call it with a connection and events; `committed` once they are there for good."""

    def __init__(self) -> None:
        self._start: int | None = None
        # (node, kind): number and text of the last one of ours.
        self._last: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._next: dict[tuple[str, str], tuple[int, str | None]] = {}

    def __call__(self, connection: Connection, given: Sequence[Event]) -> Written:
        self._next = dict(self._last) if given else self._last
        written = Written()
        if not given:
            return written
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if self._start is None:
            # Those below 1 were copied from another store, and may be copied at this moment.
            self._start = max(connection.execute(select(func.max(events.c.id))).scalar() or 0, 0)
        for event in given:
            if self._is_known(connection, event):
                written.known_events += 1
            else:
                self._insert(connection, event)
                written.events += 1
        return written

    def committed(self) -> None:
        """What the last call has done holds."""
        if len(self._next) > _FOLLOWED_MAX:
            self._next.clear()
        self._last = self._next

    def _is_known(self, connection: Connection, event: Event) -> bool:
        place = event.node, event.kind
        mine = (events.c.node == event.node) & (events.c.kind == event.kind)
        latest = select(events.c.id, events.c.body).where(mine).order_by(events.c.id.desc())
        if event.kind == "result":
            found = connection.execute(latest.limit(_ANSWERS_LOOKED_AT)).all()
            return any(_same(row[1], event.body) for row in found)
        if place not in self._next:
            own = latest.where(events.c.id.between(1, self._start))
            row = connection.execute(own.limit(1)).first()
            self._next[place] = (row[0], row[1]) if row else (0, None)
        number, last = self._next[place]
        after = (
            select(events.c.id, events.c.body)
            .where(mine, events.c.id > number)
            .order_by(events.c.id)
        )
        others = connection.execute(after).all()
        for row in others:
            if _same(row[1], event.body):
                self._next[place] = row[0], row[1]
                return True
        return not others and number > 0 and _same(last, event.body)

    def _insert(self, connection: Connection, event: Event) -> None:
        made = connection.execute(
            events.insert()
            .values(
                node=event.node,
                kind=event.kind,
                received=event.received,
                body=event.body,
                **_own_number(connection),
            )
            .returning(events.c.id)
        ).scalar_one()
        self._next[event.node, event.kind] = made, event.body


def _own_number(connection: Connection) -> dict[str, Any]:
    """SQLite by itself would go on below 1 where all events that are there were copied."""
    if connection.dialect.name != "sqlite":
        return {}
    last = connection.execute(select(func.max(events.c.id))).scalar() or 0
    return {"id": max(last, 0) + 1}


def _same(one: str | None, other: str | None) -> bool:
    """PostgreSQL gives JSON back in a form of its own."""
    if one is None or other is None or one == other:
        return one == other
    return bool(one and other and json.loads(one) == json.loads(other))
