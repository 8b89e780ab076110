"""Rows for a store, and the stores that are on this machine."""

from __future__ import annotations

import json
from typing import Any

from fieldpost.collect.message import Message, Reader
from fieldpost.store.opened import Store
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
