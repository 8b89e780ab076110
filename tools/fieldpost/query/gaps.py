"""What is missing in a store, as far as it can be proved.

A node numbers its readings in each boot from 0 and delivers them in order. So a number that is
not there, with a higher one that is, was taken and has not come. What a node itself has counted as
dropped, because its outbox was full, stands beside it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, text

from fieldpost.store.tables import events, readings, removed

# Of one boot, what is listed; it counts them all.
LISTED_MAX = 1000


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` are missing. after_ts, before_ts: the times of the readings around
    it, None where they are not known."""

    first: int
    last: int
    after_ts: int | None
    before_ts: int | None


@dataclass(frozen=True)
class Boot:
    """One boot of a node. readings: stored, with those that were removed for their age. missing:
    how many numbers below the last are not there. gaps: which, as far as they are listed."""

    boot: int
    readings: int
    removed: int
    first_seq: int
    last_seq: int
    missing: int
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True)
class Node:
    """dropped, corrupt, waiting: by the node's own count in its last health report, None without
    one. told: when that came."""

    node: str
    boots: list[Boot]
    dropped: int | None = None
    corrupt: int | None = None
    waiting: int | None = None
    told: float | None = None

    @property
    def missing(self) -> int:
        """In all boots."""
        return sum(boot.missing for boot in self.boots)

    @property
    def readings(self) -> int:
        """In all boots."""
        return sum(boot.readings for boot in self.boots)

    def as_json(self) -> dict[str, Any]:
        """Every field, and the sums."""
        return {**asdict(self), "readings": self.readings, "missing": self.missing}


def gaps(connection: Connection, nodes: Sequence[str] = ()) -> list[Node]:
    """Of each node, in the order of their names; empty `nodes`: of all."""
    held: dict[str, dict[int, tuple[int, int, int]]] = {}
    for node, boot, count, first, last in connection.execute(
        select(
            readings.c.node,
            readings.c.boot,
            func.count(),
            func.min(readings.c.seq),
            func.max(readings.c.seq),
        ).group_by(readings.c.node, readings.c.boot)
    ):
        held.setdefault(node, {})[boot] = count, first, last
    gone: dict[str, dict[int, tuple[int, int, int]]] = {}
    for node, boot, count, first, last in connection.execute(
        select(
            removed.c.node,
            removed.c.boot,
            removed.c.readings,
            removed.c.first_seq,
            removed.c.last_seq,
        )
    ):
        gone.setdefault(node, {})[boot] = count, first, last
    wanted = [one for one in sorted(held.keys() | gone.keys()) if not nodes or one in nodes]
    return [_node(connection, node, held.get(node, {}), gone.get(node, {})) for node in wanted]


def _node(
    connection: Connection,
    node: str,
    held: dict[int, tuple[int, int, int]],
    gone: dict[int, tuple[int, int, int]],
) -> Node:
    boots = []
    numbers = sorted(held.keys() | gone.keys())
    for number in numbers:
        parts = [one[number] for one in (held, gone) if number in one]
        count = sum(part[0] for part in parts)
        first, last = min(part[1] for part in parts), max(part[2] for part in parts)
        # The first boot that was seen may be joined in the middle; a later one begins at 0.
        begin = first if number == numbers[0] else 0
        missing = max(0, last - begin + 1 - count)
        listed: list[Gap] = []
        if missing and number in held:
            listed = _listed(connection, node, number, begin, gone.get(number))
        boots.append(Boot(number, count, gone.get(number, (0,))[0], first, last, missing, listed))
    return Node(node, boots, **_own_count(connection, node))


_LISTED = text("""
    SELECT before_seq, seq, before_ts, ts FROM (
        SELECT seq, ts,
            lag(seq) OVER (ORDER BY seq) AS before_seq,
            lag(ts) OVER (ORDER BY seq) AS before_ts
        FROM readings WHERE node = :node AND boot = :boot
    ) AS neighbours
    WHERE seq - coalesce(before_seq, :begin - 1) > 1 ORDER BY seq LIMIT :most
""")


def _listed(
    connection: Connection,
    node: str,
    boot: int,
    begin: int,
    gone: tuple[int, int, int] | None,
) -> list[Gap]:
    """What was removed for its age is no gap, as long as all between its ends was removed."""
    given = {"node": node, "boot": boot, "begin": begin, "most": LISTED_MAX}
    found = []
    for before, seq, before_ts, ts in connection.execute(_LISTED, given):
        first, last = (begin if before is None else before + 1), seq - 1
        if gone and gone[0] == gone[2] - gone[1] + 1:
            # Its own range has no hole: what is left of this one lies before or behind it.
            parts = [(first, min(last, gone[1] - 1)), (max(first, gone[2] + 1), last)]
            if gone[2] < first or gone[1] > last:
                parts = [(first, last)]
        else:
            parts = [(first, last)]
        found += [Gap(low, high, before_ts, ts) for low, high in parts if low <= high]
    return found


def _own_count(connection: Connection, node: str) -> dict[str, Any]:
    latest = connection.execute(
        select(events.c.body, events.c.received)
        .where(events.c.node == node, events.c.kind == "health", events.c.body.is_not(None))
        .order_by(events.c.id.desc())
        .limit(1)
    ).first()
    if latest is None:
        return {}
    told = json.loads(latest[0])
    names = {"dropped": "dropped", "corrupt": "corrupt", "waiting": "outbox"}
    counts = {
        name: value
        for name, key in names.items()
        if type(value := told.get(key)) is int and value >= 0
    }
    return {**counts, "told": latest[1]}
