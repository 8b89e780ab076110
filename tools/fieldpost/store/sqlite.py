"""SQLite: one file, a write-ahead log, rows in batches.

`synchronous` is FULL: with NORMAL, which is common beside such a log, the last commits can be gone
after a power cut, and they were acknowledged.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from fieldpost.store.rows import COLUMNS, Key, Reading, Written, far_apart

_BUSY_MS = 5000
_INSERT = f"INSERT OR IGNORE INTO readings ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FILL = "UPDATE readings SET ts = ? WHERE node = ? AND boot = ? AND seq = ? AND ts IS NULL"
# SQLite takes so many parameters in every build, three for each key.
_KEYS_AT_ONCE = 300


def engine(file: Path, *, writes: bool = True) -> Engine:
    """Connections to `file`. One that writes takes the lock when it begins, not in the middle,
    where it could not wait for it."""
    made = create_engine(
        URL.create("sqlite", database=str(file)), poolclass=None if writes else NullPool
    )

    @event.listens_for(made, "connect")
    def _connected(raw: sqlite3.Connection, _record: object) -> None:
        # Python's own way would commit before some statements.
        raw.isolation_level = None
        raw.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        if writes:
            raw.execute("PRAGMA journal_mode = WAL")
            raw.execute("PRAGMA synchronous = FULL")
        else:
            raw.execute("PRAGMA query_only = ON")

    @event.listens_for(made, "begin")
    def _begins(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made


def insert(connection: Connection, given: Sequence[Reading]) -> tuple[Written, list[Reading]]:
    """Store readings, whose keys are all different. Gives what became of them, and those that are
    other readings than the ones under their keys."""
    raw: Any = connection.connection.driver_connection
    before = raw.total_changes
    connection.exec_driver_sql(_INSERT, [one.columns for one in given])
    written = Written(stored=raw.total_changes - before)
    if written.stored == len(given):
        return written, []
    conflicts: list[Reading] = []
    late = []
    for reading, ts, fields in _known(connection, given):
        if json.loads(fields) != json.loads(reading.fields) or far_apart(reading.ts, ts):
            conflicts.append(reading)
        elif ts is None and reading.ts is not None:
            late.append((reading.ts, *reading.key))
    if late:
        connection.exec_driver_sql(_FILL, late)
    written.filled = len(late)
    written.repeated = len(given) - written.stored - len(conflicts)
    return written, conflicts


def _known(
    connection: Connection, given: Sequence[Reading]
) -> Iterator[tuple[Reading, int | None, str]]:
    """Each that is given, with `ts` and fields of the one that is stored under its key."""
    by_key: dict[Key, Reading] = {one.key: one for one in given}
    keys = list(by_key)
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        places = ", ".join(["(?, ?, ?)"] * len(some))
        rows = connection.exec_driver_sql(
            "SELECT node, boot, seq, ts, fields FROM readings "
            f"WHERE (node, boot, seq) IN (VALUES {places})",
            tuple(value for key in some for value in key),
        )
        for node, boot, seq, ts, fields in rows:
            yield by_key[node, boot, seq], ts, fields
