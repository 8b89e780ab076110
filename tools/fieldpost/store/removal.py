"""What is older than somebody wants to keep goes, and its count stays, so that a gap can still be
proved.

The age is that since it came: what a node had kept for months is not gone the moment it arrives.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select, text

from fieldpost.store.tables import conflicts, events, meta, readings, rejected

# In one transaction, so that a collector waits for it for some milliseconds only.
_AT_ONCE = 2000
_COUNTED = """
    INSERT INTO removed (node, boot, readings, first_seq, last_seq)
    SELECT node, boot, count(*), min(seq), max(seq) FROM {gone} WHERE received <= :before
    GROUP BY node, boot
    ON CONFLICT (node, boot) DO UPDATE SET
        readings = removed.readings + excluded.readings,
        first_seq = {least}(removed.first_seq, excluded.first_seq),
        last_seq = {most}(removed.last_seq, excluded.last_seq)
"""
_DELETED = "DELETE FROM readings WHERE received <= :before"


@dataclass
class Removed:
    """How many of each."""

    readings: int = 0
    others: int = 0


def count_older(connection: Connection, before_s: float) -> int:
    """How many readings came before then, in Unix seconds."""
    query = select(func.count()).select_from(readings).where(readings.c.received < before_s)
    return connection.execute(query).scalar_one()


def remove_some(engine: Engine, before_s: float) -> int:
    """Remove some of the readings that came before then; how many. 0: there is none left."""
    with engine.begin() as connection:
        some = (
            select(readings.c.received)
            .where(readings.c.received < before_s)
            .order_by(readings.c.received)
            .limit(_AT_ONCE)
            .subquery()
        )
        last = connection.execute(select(func.max(some.c.received))).scalar()
        if last is None:
            return 0
        if connection.dialect.name == "postgresql":
            # In one statement, for two would not see the same rows.
            counted = _COUNTED.format(gone="gone", least="least", most="greatest")
            gone = f"WITH gone AS ({_DELETED} RETURNING node, boot, seq, received), "
            counting = f"counting AS ({counted} RETURNING 1) SELECT count(*) FROM gone"
            return connection.execute(text(gone + counting), {"before": last}).scalar_one()
        counted = _COUNTED.format(gone="readings", least="min", most="max")
        connection.execute(text(counted), {"before": last})
        return connection.execute(text(_DELETED), {"before": last}).rowcount


def remove_others(engine: Engine, before_s: float) -> int:
    """Remove events, conflicts and what was rejected before then; how many. The last event of each
    kind of a node stays: it is its state."""
    with engine.begin() as connection:
        latest = select(func.max(events.c.id)).group_by(events.c.node, events.c.kind)
        total = 0
        for table in (events, conflicts, rejected):
            which = table.delete().where(table.c.received < before_s)
            if table is events:
                which = which.where(events.c.id.not_in(latest))
            count = connection.execute(which).rowcount
            if count:
                add_up(connection, f"removed_{table.name}", count)
            total += count
        return total


def remove_older(
    engine: Engine, before_s: float, progress: Callable[[int], None] = lambda _done: None
) -> Removed:
    """Remove all that came before then. progress: told how many readings are gone."""
    done = Removed()
    while some := remove_some(engine, before_s):
        done.readings += some
        progress(done.readings)
    done.others = remove_others(engine, before_s)
    return done


def add_up(connection: Connection, name: str, count: int) -> None:
    """Add to a total in `meta`."""
    before = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
    connection.execute(meta.delete().where(meta.c.name == name))
    connection.execute(meta.insert().values(name=name, value=str(int(before or 0) + count)))
