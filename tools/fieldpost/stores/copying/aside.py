"""What was kept beside the readings: other readings under their keys, and what can't be read."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from fieldpost.store.opened import digest_of
from fieldpost.store.rows import Rejected, in_order_again
from fieldpost.store.tables import conflicts, readings, rejected
from fieldpost.stores.copying.ends import Origin, Target

# One may have 64 kB.
_ROWS_MAX = 100


@dataclass
class Aside:
    """known: were there already."""

    stored: int = 0
    known: int = 0


def copy_rejected(origin: Origin, target: Target) -> Aside:
    """Copy what can't be read; its digest tells that it is there."""
    done = Aside()
    after: int | None = None
    while rows := _behind(origin, rejected, after):
        after = rows[-1].id
        given = [Rejected(one.topic, one.received, one.payload, one.size, one.why) for one in rows]
        stored = target.write(given).rejected
        done.stored += stored
        done.known += len(rows) - stored
    return done


def copy_conflicts(origin: Origin, target: Target) -> Aside:
    """Copy other readings under keys that were taken, but for one that has the key here."""
    done = Aside()
    after: int | None = None
    while rows := _behind(origin, conflicts, after):
        after = rows[-1].id
        stored = target.change(
            lambda connection, rows=rows: sum(_insert(connection, one) for one in rows)
        )
        done.stored += stored
        done.known += len(rows) - stored
    return done


def _insert(connection: Connection, one: Any) -> bool:
    """Whether it was not there."""
    there = connection.execute(
        select(readings.c.fields, readings.c.ts).where(
            readings.c.node == one.node, readings.c.boot == one.boot, readings.c.seq == one.seq
        )
    ).first()
    if there is not None and digest_of(in_order_again(there.fields), there.ts) == one.digest:
        return False
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {name: value for name, value in one._mapping.items() if name != "id"}
    inserted = module.insert(conflicts).values(**values).on_conflict_do_nothing()
    return connection.execute(inserted.returning(conflicts.c.id)).first() is not None


def _behind(origin: Origin, table: Table, after: int | None) -> list[Row[Any]]:
    wanted = select(table).order_by(table.c.id).limit(_ROWS_MAX)
    if after is not None:
        wanted = wanted.where(table.c.id > after)
    with origin.reading() as connection:
        return list(connection.execute(wanted))
