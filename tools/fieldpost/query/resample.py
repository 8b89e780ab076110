"""Readings of a stretch of time become one row: mean, least and most of each field, and count."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fieldpost.query.selection import Row


@dataclass
class Stretch:
    """From `time` on, in Unix seconds. readings: how many there are in it. values: under the names
    of the fields with _mean, _min, _max and _count."""

    node: str
    time: float
    readings: int = 0
    values: dict[str, float] = field(default_factory=dict)


@dataclass
class _Sum:
    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")


def resampled(rows: Iterable[Row], every_s: int) -> Iterator[Stretch]:
    """`rows` come by node and time. Stretches without a reading are left out; what is no number
    has no mean."""
    at: tuple[str, float] | None = None
    count = 0
    sums: dict[str, _Sum] = {}
    for row in rows:
        here = row.node, row.time - row.time % every_s
        if at is not None and here != at:
            yield _stretch(at, count, sums)
            count, sums = 0, {}
        at = here
        count += 1
        for name, value in row.values.items():
            if is_number(value):
                one = sums.setdefault(name, _Sum())
                one.count += 1
                one.total += value
                one.least, one.most = min(one.least, value), max(one.most, value)
    if at is not None:
        yield _stretch(at, count, sums)


def columns_of(names: Iterable[str]) -> list[str]:
    """What a stretch has of these fields."""
    return [f"{name}_{what}" for name in names for what in ("mean", "min", "max", "count")]


def is_number(value: Any) -> bool:
    """Whether it can be drawn as a curve: a truth is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _stretch(at: tuple[str, float], count: int, sums: dict[str, _Sum]) -> Stretch:
    made = Stretch(*at, readings=count)
    for name, one in sums.items():
        told = (one.total / one.count, one.least, one.most, one.count)
        made.values.update(zip(columns_of([name]), told, strict=True))
    return made
