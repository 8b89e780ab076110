"""A store that is open: takes rows, all of a batch in one transaction."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from fieldpost.store import postgresql, schema, sqlite, tables
from fieldpost.store.address import StoreAddress
from fieldpost.store.columns import VIEW, Names, has_all, remake_view
from fieldpost.store.errors import StoreAway, StoreUnfit
from fieldpost.store.events import EventWriter
from fieldpost.store.rows import Event, Key, Reading, Rejected, Row, Written

# What a row itself is to blame for, whatever the state of the store.
_ROWS_FAULT = (DataError, IntegrityError, OverflowError, UnicodeError)
# Of a message that can't be read, so much is kept.
KEPT_BYTES = 65_536
_Insert = Callable[[Connection, Sequence[Reading]], tuple[Written, list[Reading]]]


class Store:
    """Rows go in by `write`; `engine` is for those who ask. `shown`: its address, for people."""

    def __init__(self, address: StoreAddress, engine: Engine, insert: _Insert) -> None:
        self.shown = str(address)
        self.address = address
        self.engine = engine
        self._insert = insert
        self._events = EventWriter()
        self._names = Names()
        self._dialect = sqlite_dialect if address.kind == "sqlite" else postgresql_dialect

    def write(self, rows: Sequence[Row]) -> Written:
        """Store rows for good. Raises StoreAway if that can't be done now: then none is stored.

        A row that the store can't hold at all goes to `rejected`, so that it holds up no others.
        """
        try:
            return self._write(rows)
        except _ROWS_FAULT as error:
            if len(rows) == 1:
                return self._write([_refused(rows[0], error)])
        except SQLAlchemyError as error:
            raise _away(self.shown, error) from None
        written = Written()
        for row in rows:
            written.add(self.write([row]))
        return written

    def close(self) -> None:
        """Let go of its connections. Never raises."""
        self.engine.dispose()

    def _write(self, rows: Sequence[Row]) -> Written:
        readings = [row for row in rows if isinstance(row, Reading)]
        written = Written()
        with self.engine.begin() as connection:
            self._names.note(connection, readings)
            while readings:
                some, readings, repeated = _once(readings)
                done, others = self._insert(connection, some)
                done.repeated += repeated
                self._conflicts(connection, others, done)
                written.add(done)
            written.add(self._events(connection, [row for row in rows if isinstance(row, Event)]))
            self._rejected(connection, [row for row in rows if isinstance(row, Rejected)], written)
        self._events.committed()
        if self._names.committed() and (problem := self._remake_view()):
            written.told.append(problem)
        return written

    def _remake_view(self) -> str | None:
        """No reading depends on it, so one that can't be made keeps none from being stored: it is
        told, and tried again with the next name or at the next start."""
        try:
            with self.engine.begin() as connection:
                remake_view(connection)
        except SQLAlchemyError as error:
            return f"the view {VIEW} can't be made anew: {_away(self.shown, error)}"
        return None

    def _conflicts(
        self, connection: Connection, given: Sequence[Reading], written: Written
    ) -> None:
        for one in given:
            if self._is_new(
                connection,
                tables.conflicts,
                node=one.node,
                boot=one.boot,
                seq=one.seq,
                received=one.received,
                digest=digest_of(one.fields, one.ts),
                payload=one.payload,
            ):
                written.conflicts += 1
                written.told.append(
                    f"{one.node} boot {one.boot} seq {one.seq} came with another reading than "
                    "the one that is stored: kept in conflicts"
                )
            else:
                written.repeated += 1

    def _rejected(
        self, connection: Connection, given: Sequence[Rejected], written: Written
    ) -> None:
        for one in given:
            written.rejected += self._is_new(
                connection,
                tables.rejected,
                received=one.received,
                topic=one.topic,
                why=one.why,
                size=one.size,
                digest=_digest(one.topic.encode(errors="replace") + b"\0" + one.payload),
                payload=one.payload,
            )

    def _is_new(self, connection: Connection, table: Table, **values: Any) -> bool:
        """Insert a row with an id, unless it is there already."""
        statement = self._dialect.insert(table).values(**values).on_conflict_do_nothing()
        return connection.execute(statement.returning(table.c.id)).first() is not None


def open_store(address: StoreAddress) -> Store:
    """Open it, made or brought up to date if need be. Raises CommandError saying why not."""
    try:
        if address.kind == "sqlite":
            assert address.file
            check_place(address)
            engine, insert = sqlite.engine(address.file), sqlite.insert
        else:
            engine, insert = postgresql.engine(address.url), postgresql.insert
        before = schema.bring_up_to_date(engine, str(address))
        with engine.begin() as connection:
            if before < len(schema.STEPS) or not has_all(connection):
                remake_view(connection)
    except SQLAlchemyError as error:
        raise _away(str(address), error) from None
    return Store(address, engine, insert)


def open_to_read(address: StoreAddress) -> Engine:
    """Connections that change nothing. Raises CommandError if there is no store there."""
    try:
        if address.kind == "sqlite":
            assert address.file
            if not address.file.exists():
                raise StoreAway(f"there is no store {address}: fieldpost collect makes it")
            check_place(address)
            engine = sqlite.engine(address.file, writes=False)
        else:
            engine = postgresql.engine(address.url)
        with engine.connect() as connection:
            version = schema.version_of(connection)
    except SQLAlchemyError as error:
        raise _away(str(address), error) from None
    if not version:
        raise StoreUnfit(f"{address} is no store of readings: fieldpost collect makes one")
    if version != len(schema.STEPS):
        older = version < len(schema.STEPS)
        raise StoreUnfit(
            f"{address} was written by {'an older' if older else 'a newer'} Fieldpost: "
            + ("start fieldpost collect, which brings it up to date" if older else "update this")
        )
    return engine


def explained(address: StoreAddress, error: SQLAlchemyError) -> StoreAway | StoreUnfit:
    """What went wrong there, in words."""
    return _away(str(address), error)


def check_place(address: StoreAddress) -> None:
    """Raises CommandError where no file of SQLite's can be."""
    file = address.file
    assert file
    if file.is_dir():
        raise StoreUnfit(f"{file} is a folder, and a store is a file")
    if not file.parent.is_dir():
        raise StoreAway(f"there is no folder {file.parent} for {file.name}: make it first")


def _once(given: Sequence[Reading]) -> tuple[list[Reading], list[Reading], int]:
    """The first under each key, with the time that a later one brought; others under these keys,
    which come after them; and how many were the same again."""
    kept: dict[Key, Reading] = {}
    others: list[Reading] = []
    repeated = 0
    for one in given:
        before = kept.get(one.key)
        if before is None:
            kept[one.key] = one
            continue
        if one.is_other(before.fields, before.ts):
            others.append(one)
            continue
        repeated += 1
        if before.ts is None and one.ts is not None:
            kept[one.key] = one
    return list(kept.values()), others, repeated


def _refused(row: Row, error: Exception) -> Rejected:
    why = f"the store can't hold it: {type(error).__name__}"
    if isinstance(row, Rejected):
        # Its topic is what is left to be held against it.
        return Rejected("?", row.received, row.payload, row.size, why)
    payload = (
        row.payload if isinstance(row, Reading) else (row.body or "").encode(errors="replace")
    )
    node = "".join(one if one.isprintable() else "?" for one in row.node)[:64]
    kept = payload[:KEPT_BYTES]
    return Rejected(f"…/{node}/…", row.received, kept, len(payload), why)


def digest_of(fields: str, ts: int | None) -> str:
    """Of what a reading has measured, and when: by it the same conflict is known again."""
    return _digest((fields if ts is None else f"{fields}@{ts}").encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _away(shown: str, error: SQLAlchemyError) -> StoreAway | StoreUnfit:
    """What a database says, on one line and without a password; it begins with the place."""
    told = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    line = " ".join(told.split())[:300] or type(error).__name__
    if "file is not a database" in line:
        return StoreUnfit(f"{shown} is no database of SQLite's")
    return StoreAway(f"{shown}: {line}{_advice(line)}")


def _advice(line: str) -> str:
    for words, advice in _ADVICE.items():
        if words in line:
            return f": {advice}"
    return ""


_ADVICE = {
    "database is locked": "another program holds it; is a tool open on it with a change begun?",
    "disk is full": "make room on its disk",
    "unable to open database file": "may this user write to it, and to its folder?",
    "readonly database": "may this user write to it, and to its folder?",
    "Connection refused": "does PostgreSQL run, and listen there?",
    "password authentication failed": "write user and password into the address",
    "permission denied": "grant this user CREATE on the schema and TEMPORARY on the database",
    "does not exist": "make it first: createuser, createdb",
}
