"""Readings, in batches by their key: a batch is all of it that is in memory."""

import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select, tuple_

from fieldpost.store.rows import Key, Reading, Written, in_order
from fieldpost.store.tables import readings, removed
from fieldpost.stores.copying.ends import Origin, Target
from fieldpost.stores.copying.note import Note

ROWS_MAX = 2000
# One may have 64 kB.
BYTES_MAX = 8 * 1024 * 1024
_AT_ONCE = 100
TOLD_MAX = 20
_KEY = tuple_(readings.c.node, readings.c.boot, readings.c.seq)
_COLUMNS = (
    readings.c.node,
    readings.c.boot,
    readings.c.seq,
    readings.c.ts,
    readings.c.age_s,
    readings.c.received,
    readings.c.fields,
    readings.c.payload,
)
# first_seq and last_seq of what was removed, by (node, boot).
Ranges = dict[tuple[str, int], tuple[int, int]]


def copy(
    origin: Origin, target: Target, note: Note, progress: Callable[[Written, int], None]
) -> tuple[Written, int]:
    """Copy all behind the one that `note` names. Gives what became of them, and how many were
    left out: the target has had them, and removed them for their age."""
    written, left_out = Written(), 0
    after = note.after
    while batch := _behind(origin, after):
        after = batch[-1].key
        gone = target.change(lambda connection, batch=batch: removed_of(connection, batch))
        wanted = [one for one in batch if not is_within(one.key, gone)]
        left_out += len(batch) - len(wanted)
        written.add(target.write(wanted))
        del written.told[TOLD_MAX:]
        note.reached(after)
        progress(written, left_out)
    note.finished()
    return written, left_out


def removed_of(connection: Connection, given: Sequence[Reading]) -> Ranges:
    """What was removed of the boots of these readings."""
    ranges: Ranges = {}
    boots = sorted({(one.node, one.boot) for one in given})
    for start in range(0, len(boots), _AT_ONCE):
        wanted = select(removed.c.node, removed.c.boot, removed.c.first_seq, removed.c.last_seq)
        mine = tuple_(removed.c.node, removed.c.boot).in_(boots[start : start + _AT_ONCE])
        for node, boot, first, last in connection.execute(wanted.where(mine)):
            ranges[node, boot] = first, last
    return ranges


def is_within(key: Key, ranges: Ranges) -> bool:
    """Whether it lies in what was removed. It would be removed once more, and counted twice."""
    node, boot, seq = key
    first, last = ranges.get((node, boot), (0, -1))
    return first <= seq <= last


def _behind(origin: Origin, after: Key | None) -> list[Reading]:
    wanted = select(*_COLUMNS).order_by(*_COLUMNS[:3]).limit(ROWS_MAX)
    if after is not None:
        wanted = wanted.where(tuple_(*after) < _KEY)
    found: list[Reading] = []
    size = 0
    with origin.reading() as connection:
        connection = connection.execution_options(yield_per=_AT_ONCE)
        with connection.execute(wanted) as rows:
            for node, boot, seq, ts, age_s, received, told, payload in rows:
                values = json.loads(told)
                found.append(
                    Reading(
                        *(node, boot, seq, ts, age_s, received, bytes(payload)),
                        # PostgreSQL gives JSON back in a form of its own.
                        fields=in_order(values),
                        values=values,
                    )
                )
                size += len(payload) + len(told)
                if size > BYTES_MAX:
                    break
    return found
