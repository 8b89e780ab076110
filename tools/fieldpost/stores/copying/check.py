"""Whether every reading of one store is in the other: by node and boot, number by number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, tuple_

from fieldpost.store.tables import readings, removed
from fieldpost.stores.copying.ends import Origin, Target

_BOOTS_MAX = 500
_NUMBERS_MAX = 20_000
LISTED_MAX = 100


@dataclass(frozen=True)
class Missing:
    """Of one boot: how many of its readings are not there, and the first and the last of them."""

    node: str
    boot: int
    readings: int
    first: int
    last: int


@dataclass
class Checked:
    """readings: that were looked for. found: of them. removed: of them, those that were removed
    there for their age. missing: of all; listed: of the first boots where any are."""

    nodes: int = 0
    boots: int = 0
    readings: int = 0
    found: int = 0
    removed: int = 0
    missing: int = 0
    listed: list[Missing] = field(default_factory=list)


def check(origin: Origin, target: Target, progress: Callable[[int], None]) -> Checked:
    """Look for each. progress: told how many it has looked for."""
    done = Checked()
    node_before = None
    for node, boot in _boots(origin):
        done.boots += 1
        done.nodes += node != node_before
        node_before = node
        count, first, last = 0, -1, -1
        for numbers in _numbers(origin, node, boot):
            there, gone = target.change(
                lambda connection, numbers=numbers, node=node, boot=boot: _there(
                    connection, node, boot, numbers
                )
            )
            absent = [one for one in numbers if one not in there]
            missing = [one for one in absent if not gone[0] <= one <= gone[1]]
            done.readings += len(numbers)
            done.found += len(numbers) - len(absent)
            done.removed += len(absent) - len(missing)
            if missing:
                first = missing[0] if not count else first
                count, last = count + len(missing), missing[-1]
            progress(done.readings)
        done.missing += count
        if count and len(done.listed) < LISTED_MAX:
            done.listed.append(Missing(node, boot, count, first, last))
    return done


def _boots(origin: Origin) -> Iterator[tuple[str, int]]:
    place = tuple_(readings.c.node, readings.c.boot)
    after: tuple[str, int] | None = None
    while True:
        wanted = select(readings.c.node, readings.c.boot)
        if after is not None:
            wanted = wanted.where(tuple_(*after) < place)
        wanted = wanted.group_by(readings.c.node, readings.c.boot)
        wanted = wanted.order_by(readings.c.node, readings.c.boot).limit(_BOOTS_MAX)
        with origin.reading() as connection:
            found: list[Any] = list(connection.execute(wanted))
        if not found:
            return
        yield from ((node, boot) for node, boot in found)
        after = found[-1][0], found[-1][1]


def _numbers(origin: Origin, node: str, boot: int) -> Iterator[list[int]]:
    """In their order, some at once."""
    after = -1
    while True:
        wanted = select(readings.c.seq).where(
            readings.c.node == node, readings.c.boot == boot, readings.c.seq > after
        )
        with origin.reading() as connection:
            some = wanted.order_by(readings.c.seq).limit(_NUMBERS_MAX)
            found = list(connection.execute(some).scalars())
        if not found:
            return
        yield found
        if len(found) < _NUMBERS_MAX:
            return
        after = found[-1]


def _there(
    connection: Connection, node: str, boot: int, numbers: list[int]
) -> tuple[set[int], tuple[int, int]]:
    """Those of them that are there, and the ends of what was removed."""
    mine = (readings.c.node == node) & (readings.c.boot == boot)
    found = connection.execute(
        select(readings.c.seq).where(mine, readings.c.seq.between(numbers[0], numbers[-1]))
    ).scalars()
    gone = connection.execute(
        select(removed.c.first_seq, removed.c.last_seq).where(
            removed.c.node == node, removed.c.boot == boot
        )
    ).first()
    return set(found), (gone[0], gone[1]) if gone else (0, -1)
