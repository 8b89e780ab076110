"""Counts of what was removed for its age: they tell a gap from what is no longer kept."""

from sqlalchemy import Connection, func, select, tuple_

from fieldpost.store.removal import add_up
from fieldpost.store.tables import meta, readings, removed
from fieldpost.stores.copying.ends import Origin, Target
from fieldpost.stores.copying.note import Note

_ROWS_MAX = 500
_TOTALS = ("removed_events", "removed_conflicts", "removed_rejected")
_Range = tuple[int, int, int]


def copy(origin: Origin, target: Target, note: Note) -> int:
    """Take the counts over; of how many boots there are any that were not known. After the
    readings: what lies within such a count is not copied."""
    changed = 0
    after: tuple[str, int] | None = None
    place = tuple_(removed.c.node, removed.c.boot)
    while True:
        wanted = select(removed).order_by(removed.c.node, removed.c.boot).limit(_ROWS_MAX)
        if after is not None:
            wanted = wanted.where(tuple_(*after) < place)
        with origin.reading() as connection:
            rows = [tuple(row) for row in connection.execute(wanted)]
        if not rows:
            break
        after = rows[-1][0], rows[-1][1]
        changed += target.change(
            lambda connection, rows=rows: sum(_add(connection, *row) for row in rows)
        )
    _take_totals(origin, target, note)
    return changed


def merged(there: _Range | None, given: _Range, held: int) -> _Range | None:
    """(readings, first_seq, last_seq) of one boot in both; None if nothing changes.

    held: readings between the two ends that are in the store, and so were not removed. A count
    that lies within another was taken before, or was removed here as well.
    """
    if there and there[1] <= given[1] and given[2] <= there[2]:
        return None
    parts = [given, there] if there else [given]
    first, last = min(part[1] for part in parts), max(part[2] for part in parts)
    most = max(0, last - first + 1 - held)
    return min(sum(part[0] for part in parts), most), first, last


def _add(connection: Connection, node: str, boot: int, *given: int) -> bool:
    """Whether it was not known."""
    mine = (removed.c.node == node) & (removed.c.boot == boot)
    row = connection.execute(
        select(removed.c.readings, removed.c.first_seq, removed.c.last_seq).where(mine)
    ).first()
    there = (row[0], row[1], row[2]) if row else None
    count, first, last = given
    ends = (min(first, there[1]), max(last, there[2])) if there else (first, last)
    held = connection.execute(
        select(func.count()).where(
            readings.c.node == node, readings.c.boot == boot, readings.c.seq.between(*ends)
        )
    ).scalar_one()
    new = merged(there, (count, first, last), held)
    if new is None:
        return False
    values = dict(zip(("readings", "first_seq", "last_seq"), new, strict=True))
    if there:
        connection.execute(removed.update().where(mine).values(**values))
    else:
        connection.execute(removed.insert().values(node=node, boot=boot, **values))
    return True


def _take_totals(origin: Origin, target: Target, note: Note) -> None:
    with origin.reading() as connection:
        found = connection.execute(select(meta.c.name, meta.c.value))
        totals = {name: int(value) for name, value in found if name in _TOTALS}

    def take(connection: Connection) -> None:
        for name, total in totals.items():
            if more := note.take(connection, name, total):
                add_up(connection, name, more)

    if totals:
        target.change(take)
