"""Readings of a store that somebody wants: of which nodes, of which fields, from when to when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, column, func, select, text
from sqlalchemy.types import Double

from fieldpost.errors import Usage
from fieldpost.store.tables import TIME, fields, readings

# Rows that are held at once.
_ROWS = 2000
_MINE = ("boot", "seq", "ts", "age_s", "received")


@dataclass(frozen=True)
class Selection:
    """Empty `nodes` or `fields`: all. from_s, to_s: Unix seconds, from then on and before then."""

    nodes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True)
class Row:
    """One reading. time: as a store tells it, which is at the latest if `ts` is None."""

    node: str
    boot: int
    seq: int
    time: float
    ts: int | None
    age_s: int | None
    received: float
    values: dict[str, Any]


def names(connection: Connection, selection: Selection) -> list[str]:
    """The fields of a selection. Raises CommandError for one that no reading ever had."""
    known = list(connection.execute(select(fields.c.name).order_by(fields.c.id)).scalars())
    for name in selection.fields:
        if name not in known:
            listed = ", ".join(sorted(known)[:20]) or "none"
            raise Usage(f"no reading has a field {name}; there is {listed}")
    return list(selection.fields) or known


def count(connection: Connection, selection: Selection) -> int:
    """How many readings there are, of whatever fields."""
    return connection.execute(_narrowed(select(func.count()), selection)).scalar_one()


def rows(connection: Connection, selection: Selection) -> Iterator[Row]:
    """Each, by node and time. Those that have none of the fields are left out."""
    wanted = _narrowed(
        select(readings.c.node, *(readings.c[name] for name in _MINE), _time(), readings.c.fields),
        selection,
    ).order_by(readings.c.node, _time(), readings.c.boot, readings.c.seq)
    found: Any = connection.execution_options(stream_results=True, yield_per=_ROWS).execute(wanted)
    narrow = set(selection.fields)
    for node, boot, seq, ts, age_s, received, when, told in found:
        values = json.loads(told)
        if narrow:
            values = {name: one for name, one in values.items() if name in narrow}
            if not values:
                continue
        yield Row(node, boot, seq, float(when), ts, age_s, received, values)


def _time() -> ColumnElement[float]:
    return column(f"({TIME})", is_literal=True, type_=Double())


def _narrowed(wanted: Select[Any], selection: Selection) -> Select[Any]:
    wanted = wanted.select_from(readings)
    if selection.nodes:
        wanted = wanted.where(readings.c.node.in_(selection.nodes))
    # In the words of the index.
    if selection.from_s is not None:
        wanted = wanted.where(text(f"{TIME} >= :from_s").bindparams(from_s=selection.from_s))
    if selection.to_s is not None:
        wanted = wanted.where(text(f"{TIME} < :to_s").bindparams(to_s=selection.to_s))
    return wanted
