"""Rows for a store, and the stores that are on this machine."""

from __future__ import annotations

import atexit
import functools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rigs.postgresql import PostgreSql, postgresql

from fieldpost.collect.message import Message, Reader
from fieldpost.store.address import parse
from fieldpost.store.opened import Store, open_store
from fieldpost.store.rows import Row

NOW_S = 1_795_800_000.0


def telemetry(
    boot: int, seq: int, /, *, of: str = "n", received: float = NOW_S, **told: Any
) -> Row:
    """A reading as the collector reads it. of: the node."""
    payload = json.dumps({"boot": boot, "seq": seq, **told}).encode()
    return Reader("fieldpost").read(Message(f"fieldpost/{of}/telemetry", payload, received))


def event(
    kind: str, told: dict[str, Any] | None, *, node: str = "n", received: float = NOW_S
) -> Row:
    """An event likewise; None is an empty message."""
    payload = b"" if told is None else json.dumps(told).encode()
    return Reader("fieldpost").read(Message(f"fieldpost/{node}/{kind}", payload, received))


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    """What the store answers."""
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def stores() -> list[Any]:
    """The kinds, as parameters of a test."""
    return ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


def new_store(kind: str, folder: Path) -> str:
    """The address of an empty one, in `folder` or in the cluster of this process. Skips where
    PostgreSQL is not installed."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/readings.db"
    cluster = _cluster()
    if cluster is None:
        pytest.skip("PostgreSQL is not installed")
    return cluster.new_database()


def open_on(kind: str, folder: Path) -> Iterator[Store]:
    """A new one, for the time of a test."""
    store = open_store(parse(new_store(kind, folder)))
    yield store
    store.close()


_running = ExitStack()


@functools.cache
def _cluster() -> PostgreSql | None:
    """One for all tests of this process: to make it takes seconds."""
    atexit.register(_running.close)
    return _running.enter_context(postgresql())
