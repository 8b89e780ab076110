"""A PostgreSQL for tests: the one of tools/scale, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scale.postgresql import PostgreSql, find_postgresql


@contextmanager
def postgresql() -> Iterator[PostgreSql | None]:
    """A cluster that runs; None where PostgreSQL is not installed."""
    place = find_postgresql()
    if place is None:
        yield None
        return
    with PostgreSql(place) as one:
        yield one
