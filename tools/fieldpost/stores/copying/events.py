"""Events, before those that the store has had itself.

The number of an event tells what came first, and the last one of a kind is a node's state. So all
that are copied get numbers below 1, in a block: by so much each is lower than in the store from
which it comes. A second copy finds the block by what is in it, and each event in its place.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from fieldpost.store.rows import in_order_again
from fieldpost.store.tables import events
from fieldpost.stores.copying.aside import Aside
from fieldpost.stores.copying.ends import Origin, Target

_ROWS_MAX = 100
_SAMPLE = 50
# The store from which they come may go on, and be copied again.
_ROOM = 2**32


def copy(origin: Origin, target: Target, progress: Callable[[int], None]) -> Aside:
    """Copy all; what is there in its place is known."""
    done = Aside()
    shift = _shift(origin, target)
    after: int | None = None
    while rows := _behind(origin, after):
        after = rows[-1].id
        stored = target.change(lambda connection, rows=rows: _insert(connection, rows, shift))
        done.stored += stored
        done.known += len(rows) - stored
        progress(done.stored + done.known)
    return done


def _shift(origin: Origin, target: Target) -> int:
    """What is added to a number: found by events that are there, or below all that are."""
    with origin.reading() as connection:
        ends = [
            row
            for order in (events.c.id, events.c.id.desc())
            for row in connection.execute(select(events).order_by(order).limit(_SAMPLE))
        ]
        last = connection.execute(select(func.max(events.c.id))).scalar() or 0

    def look(connection: Connection) -> int:
        shifts = Counter(shift for one in ends for shift in _shifts(connection, one))
        if shifts:
            return shifts.most_common(1)[0][0]
        lowest = connection.execute(select(func.min(events.c.id))).scalar() or 1
        return min(lowest, 1) - 1 - _ROOM - last

    return target.change(look)


def _shifts(connection: Connection, one: Row[Any]) -> list[int]:
    """From where this event may have been copied to."""
    found = connection.execute(
        select(events.c.id, events.c.body).where(
            events.c.node == one.node,
            events.c.kind == one.kind,
            events.c.id < 1,
            events.c.received == one.received,
        )
    )
    return [row.id - one.id for row in found if _same(row.body, one.body)]


def _insert(connection: Connection, rows: Sequence[Row[Any]], shift: int) -> int:
    """How many were not there."""
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    given = {
        one.id + shift: {
            "id": one.id + shift,
            "node": one.node,
            "kind": one.kind,
            "received": one.received,
            "body": None if one.body is None else in_order_again(one.body),
        }
        for one in rows
    }
    inserted = module.insert(events).values(list(given.values())).on_conflict_do_nothing()
    stored = set(connection.execute(inserted.returning(events.c.id)).scalars())
    taken = [given[number] for number in given.keys() - stored]
    return len(stored) + sum(_beside(connection, one) for one in taken)


def _beside(connection: Connection, one: dict[str, Any]) -> bool:
    """Of one whose number is taken: by itself; or by another event, where two stores were copied
    at the same moment. It then gets the lowest number, and is not lost. Whether it is new."""
    there = connection.execute(
        select(events.c.body).where(
            events.c.node == one["node"],
            events.c.kind == one["kind"],
            events.c.id < 1,
            events.c.received == one["received"],
        )
    ).scalars()
    if any(_same(body, one["body"]) for body in there):
        return False
    lowest = connection.execute(select(func.min(events.c.id))).scalar_one()
    connection.execute(events.insert().values({**one, "id": lowest - 1}))
    return True


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return one == other
    return bool(json.loads(one) == json.loads(other))


def _behind(origin: Origin, after: int | None) -> list[Row[Any]]:
    wanted = select(events).order_by(events.c.id).limit(_ROWS_MAX)
    if after is not None:
        wanted = wanted.where(events.c.id > after)
    with origin.reading() as connection:
        return list(connection.execute(wanted))
