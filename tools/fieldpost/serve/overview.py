"""What is known of each node now: its state, when it is due, what it lacks.

It is read from the store once, in the background, and then follows what is stored.
"""

import functools
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, text

from fieldpost.home_assistant.units import unit_of
from fieldpost.messages import payload
from fieldpost.store.rows import Event, Reading, Row

# Unix seconds, in the year 2242: beyond it no clock of a node's is right.
_TIME_MAX = 2**33
_RECENT = 20
_FIELDS_MAX = 40
# What a node may be late before it is said that it is.
_GRACE_S = 5.0
_GRACE_ASLEEP_S = 60.0
# Recounting a long boot takes a while: it is done no oftener than so many times that.
_RECOUNT_SHARE = 20
_AWAKE = ("online", "safe_mode")
_NAMES = """
    WITH RECURSIVE found(node) AS (
        SELECT (SELECT min(node) FROM {table})
        UNION ALL
        SELECT (SELECT min(node) FROM {table} WHERE node > found.node) FROM found
        WHERE found.node IS NOT NULL
    ) SELECT node FROM found WHERE node IS NOT NULL
"""
_COUNTS = """
    SELECT boot, count(*), min(seq), max(seq) FROM readings
    WHERE node = :node AND boot >= :boot GROUP BY boot
"""
_REMOVED = "SELECT boot, readings, first_seq, last_seq FROM removed WHERE node = :node"
_NEWEST = """
    SELECT boot, seq, ts, age_s, received, fields FROM readings WHERE node = :node
    ORDER BY boot DESC, seq DESC LIMIT :most
"""
_LATEST_EVENT = """
    SELECT received, body FROM events WHERE node = :node AND kind = :kind
    ORDER BY id DESC LIMIT 1
"""


@dataclass
class _Boot:
    count: int
    first: int
    last: int


@dataclass
class _Recent:
    boot: int
    seq: int
    t: float
    received: float
    values: dict[str, Any]


@dataclass
class _Node:
    name: str
    boots: dict[int, _Boot] = field(default_factory=dict)
    recent: list[_Recent] = field(default_factory=list)
    events: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    seen: float = 0.0
    recount_from: int | None = None
    recount_at: float = 0.0

    @property
    def missing(self) -> int:
        """As `fieldpost gaps` counts: the first boot that was seen may have been joined in the
        middle; a later one begins at 0."""
        first = min(self.boots, default=0)
        return sum(
            max(0, one.last - (one.first if boot == first else 0) + 1 - one.count)
            for boot, one in self.boots.items()
        )

    @property
    def last(self) -> _Recent | None:
        return self.recent[-1] if self.recent else None

    @property
    def interval_s(self) -> float | None:
        """Between readings, as they came last."""
        steps = [
            (after.t - before.t) / (after.seq - before.seq)
            for before, after in itertools.pairwise(self.recent)
            if before.boot == after.boot and after.seq > before.seq and after.t > before.t
        ]
        return statistics.median(steps) if steps else None


class Overview:
    """Rows that were stored go in by `note`, from any thread; `row` and `rows` tell of nodes."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now
        self._lock = threading.RLock()
        self._nodes: dict[str, _Node] = {}
        self._changed: set[str] = set()
        self._late: set[str] = set()
        self.is_loaded = False

    def load(self) -> None:
        """Read all nodes that the store knows. Those that are there already stay."""
        with self._engine.connect() as connection:
            names = {
                name
                for table in ("readings", "events")
                for (name,) in connection.execute(text(_NAMES.format(table=table)))
            }
            for name in sorted(names):
                with self._lock:
                    if name not in self._nodes:
                        self._read(connection, name)
        self.is_loaded = True

    def note(self, rows: Iterable[Row]) -> None:
        """These are in the store now."""
        by_node: dict[str, list[Row]] = {}
        for row in rows:
            if isinstance(row, Reading | Event):
                by_node.setdefault(row.node, []).append(row)
        with self._lock:
            for name, some in by_node.items():
                known = self._nodes.get(name)
                if known is None:
                    with self._engine.connect() as connection:
                        self._read(connection, name)
                else:
                    _follow(known, some)
                self._changed.add(name)

    def changed(self) -> list[str]:
        """Nodes of which something is new since the last call, if only that they are late."""
        with self._lock:
            late = {name for name, one in self._nodes.items() if _is_late(one, self._now())}
            self._changed |= late ^ self._late
            self._late = late
            changed, self._changed = self._changed, set()
            return sorted(changed)

    def rows(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """For a page: those that are named, or all."""
        with self._lock:
            wanted = sorted(self._nodes) if names is None else names
            found = [self._nodes[name] for name in wanted if name in self._nodes]
            if any(one.recount_from is not None for one in found):
                self._recount(found)
            return [_row(one, self._now()) for one in found]

    def row(self, name: str) -> dict[str, Any] | None:
        """Of one node; None if it is not known."""
        found = self.rows([name])
        return found[0] if found else None

    def _read(self, connection: Connection, name: str) -> None:
        node = _Node(name)
        for row in connection.execute(text(_NEWEST), {"node": name, "most": _RECENT}):
            boot, seq, ts, age_s, received, fields = row
            taken = ts if ts is not None else received - (age_s or 0)
            node.recent.append(_Recent(boot, seq, taken, received, json.loads(fields)))
        node.recent.reverse()
        for kind in ("status", "health", "update"):
            found = connection.execute(text(_LATEST_EVENT), {"node": name, "kind": kind}).first()
            if found:
                node.events[kind] = found[0], _parsed(found[1])
        seen = [one.received for one in node.recent]
        node.seen = max([*seen, *(at for at, _ in node.events.values())], default=0.0)
        self._count(connection, node, 0)
        self._nodes[name] = node

    def _recount(self, nodes: list[_Node]) -> None:
        with self._engine.connect() as connection:
            for node in nodes:
                if node.recount_from is None or time.monotonic() < node.recount_at:
                    continue
                begin = time.monotonic()
                self._count(connection, node, node.recount_from)
                took_s = time.monotonic() - begin
                node.recount_at = begin + max(1.0, took_s * _RECOUNT_SHARE)

    @staticmethod
    def _count(connection: Connection, node: _Node, boot: int) -> None:
        removed = {
            one[0]: one[1:] for one in connection.execute(text(_REMOVED), {"node": node.name})
        }
        for one, count, first, last in connection.execute(
            text(_COUNTS), {"node": node.name, "boot": boot}
        ):
            if one in removed:
                gone, gone_first, gone_last = removed[one]
                count, first, last = count + gone, min(first, gone_first), max(last, gone_last)
            node.boots[one] = _Boot(count, first, last)
        node.recount_from = None


def _follow(node: _Node, rows: list[Row]) -> None:
    for row in rows:
        if isinstance(row, Event):
            node.events[row.kind] = row.received, _parsed(row.body)
            node.seen = max(node.seen, row.received)
        elif isinstance(row, Reading):
            _take(node, row)
    node.recent.sort(key=lambda one: (one.boot, one.seq))
    del node.recent[:-_RECENT]


def _take(node: _Node, row: Reading) -> None:
    node.seen = max(node.seen, row.received)
    boot = node.boots.get(row.boot)
    if boot is None:
        node.boots[row.boot] = _Boot(1, row.seq, row.seq)
    elif row.seq > boot.last:
        boot.count += 1
        boot.last = row.seq
    else:
        # It came again, or fills a gap: only the store can tell.
        before = row.boot if node.recount_from is None else node.recount_from
        node.recount_from = min(before, row.boot)
    taken = row.ts if row.ts is not None else row.received - (row.age_s or 0)
    if not any(one.boot == row.boot and one.seq == row.seq for one in node.recent):
        node.recent.append(_Recent(row.boot, row.seq, taken, row.received, dict(row.values)))


def _is_late(node: _Node, now: float) -> bool:
    due, grace_s = _due(node)
    return due is not None and now > due + grace_s


def _row(node: _Node, now: float) -> dict[str, Any]:
    state_at, status = node.events.get("status", (None, {}))
    _, health = node.events.get("health", (None, {}))
    state = status.get("state")
    state = state if isinstance(state, str) else "unknown"
    last, interval_s = node.last, node.interval_s
    due, _ = _due(node)
    return {
        "name": node.name,
        "state": state[:40],
        "state_since": state_at,
        "seen": node.seen or None,
        "last": last
        and {
            "boot": last.boot,
            "seq": last.seq,
            "t": last.t,
            "received": last.received,
            "values": dict(list(last.values.items())[:_FIELDS_MAX]),
            "units": {
                name: unit
                for name in list(last.values)[:_FIELDS_MAX]
                if (unit := _unit_of(name)) is not None
            },
        },
        "due": due,
        "is_late": _is_late(node, now),
        "interval_s": interval_s,
        "expected_delay_s": _expected_delay_s(health, interval_s),
        "supply_mv": _supply_mv(last),
        "rssi": _number(health, "rssi", -200, 100),
        "firmware": _short(health.get("firmware")),
        "board": _short(health.get("board")),
        "backlog": _number(health, "outbox", 0, 2**53),
        "dropped": _number(health, "dropped", 0, 2**53),
        "uptime_s": _number(health, "uptime_s", 0, _TIME_MAX),
        "missing": node.missing,
        "readings": sum(one.count for one in node.boots.values()),
        "boots": len(node.boots),
        "fields": _fields(node.recent),
    }


# Asked for each row that is told, and of few names, unless a stranger sends others.
@functools.lru_cache(1000)
def _unit_of(field: str) -> str | None:
    return unit_of(field)


def _due(node: _Node) -> tuple[float | None, float]:
    """When the node is to be heard of next, and what it may be late."""
    state_at, status = node.events.get("status", (0.0, {}))
    state = status.get("state")
    last, interval_s = node.last, node.interval_s
    if state == "asleep":
        until = payload.number(status.get("until"), 0, _TIME_MAX)
        for_s = payload.number(status.get("for_s"), 0, _TIME_MAX)
        if until is None and for_s is not None:
            until = state_at + for_s
        return until, _GRACE_ASLEEP_S
    if state in _AWAKE and last and interval_s:
        return last.t + interval_s, max(_GRACE_S, interval_s / 2)
    return None, _GRACE_S


def _expected_delay_s(health: dict[str, Any], interval_s: float | None) -> float:
    """How long after it was taken a reading comes when all is well."""
    every = _number(health, "deliver_every", 1, 100_000) or 1
    sample_s = _number(health, "sample_s", 0, _TIME_MAX) or interval_s or 0
    return max(_GRACE_S, 1.5 * sample_s * every if every > 1 else _GRACE_S)


def _supply_mv(last: _Recent | None) -> float | None:
    for name, value in (last.values if last else {}).items():
        if name == "supply_mv" or name.endswith("_supply_mv"):
            return payload.number(value, 0, 1_000_000)
    return None


def _fields(recent: list[_Recent]) -> list[dict[str, Any]]:
    found: dict[str, bool] = {}
    for one in reversed(recent):
        for name, value in one.values.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and len(found) < _FIELDS_MAX:
                found.setdefault(name, is_number)
    return [{"name": name, "is_number": is_number} for name, is_number in found.items()]


def _number(told: dict[str, Any], name: str, low: float, high: float) -> float | None:
    return payload.number(told.get(name), low, high)


def _short(value: Any) -> str | None:
    return str(value)[:80] if value is not None else None


def _parsed(body: str | None) -> dict[str, Any]:
    told = json.loads(body) if body else {}
    return told if isinstance(told, dict) else {}
