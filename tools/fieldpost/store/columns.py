"""The names that were measured, and the view that has a column for each.

`readings` keeps what was measured as JSON, for the next node may measure anything. The view `wide`
has it in columns, as people and Grafana query it. It is made anew when a name appears.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite

from fieldpost.store.rows import Reading
from fieldpost.store.tables import TIME, fields

VIEW = "wide"
# Of the reading itself, before what it measured.
FIXED = ("node", "boot", "seq", "time", "ts", "age_s", "received")
# Anybody who may publish can think of names.
_NAMES_MAX = 500
COLUMNS_MAX = 300
# As both databases take it whole; what has another name is in the JSON.
_IS_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,59}")


@dataclass(frozen=True)
class Column:
    """A name that was measured. kind: number or text, as the first reading with it had it."""

    name: str
    kind: str


class Names:
    """The names that a store knows; `note` those of readings, and `committed` when they are in."""

    def __init__(self) -> None:
        self._known: set[str] | None = None
        self._new: set[str] = set()

    def note(self, connection: Connection, given: Sequence[Reading]) -> None:
        """Store those that are new."""
        if self._known is None:
            self._known = set(connection.execute(select(fields.c.name)).scalars())
        self._new = set()
        for reading in given:
            if reading.values.keys() <= self._known:
                continue
            for name, value in reading.values.items():
                if name in self._known or name in self._new or value is None:
                    continue
                if len(self._known) + len(self._new) >= _NAMES_MAX:
                    break
                _insert(connection, name, _kind(value), reading.received)
                self._new.add(name)

    def committed(self) -> bool:
        """What the last call has done holds. Whether there was anything new."""
        assert self._known is not None
        self._known |= self._new
        return bool(self._new)


def all_names(connection: Connection) -> list[tuple[str, str, float]]:
    """(name, kind, first_received) of each that is known, in the order of the view."""
    wanted = select(fields.c.name, fields.c.kind, fields.c.first_received).order_by(fields.c.id)
    return [(row[0], row[1], row[2]) for row in connection.execute(wanted)]


def add_names(connection: Connection, given: Sequence[tuple[str, str, float]]) -> None:
    """Those of another store, behind the ones that are known; and the view with them."""
    known = set(connection.execute(select(fields.c.name)).scalars())
    new = [one for one in given if one[0] not in known][: max(0, _NAMES_MAX - len(known))]
    for name, kind, received in new:
        _insert(connection, name, kind, received)
    if new:
        remake_view(connection)


def columns(connection: Connection) -> list[Column]:
    """The view's own, behind the fixed ones."""
    found: dict[str, Column] = {}
    rows = connection.execute(select(fields.c.name, fields.c.kind).order_by(fields.c.id))
    for name, kind in rows:
        # SQLite does not tell names apart by their case.
        place = name.lower()
        if _IS_COLUMN.fullmatch(name) and place not in FIXED and place not in found:
            found[place] = Column(name, kind)
    return list(found.values())[:COLUMNS_MAX]


def remake_view(connection: Connection) -> None:
    """Make it of the names that are known; those behind the last ones are added."""
    wanted = columns(connection)
    if connection.dialect.name == "postgresql":
        begin, shapes = f"CREATE OR REPLACE VIEW {VIEW} AS", map(_on_postgresql, wanted)
    else:
        connection.execute(text(f"DROP VIEW IF EXISTS {VIEW}"))
        begin, shapes = f"CREATE VIEW {VIEW} AS", map(_on_sqlite, wanted)
    listed = ["node", "boot", "seq", f"{TIME} AS time", "ts", "age_s", "received", *shapes]
    connection.exec_driver_sql(f"{begin} SELECT {', '.join(listed)} FROM readings")


def has_all(connection: Connection) -> bool:
    """Whether the view is there, with a column for each name that is to have one."""
    if VIEW not in inspect(connection).get_view_names():
        return False
    there = {one["name"] for one in inspect(connection).get_columns(VIEW)}
    return all(one.name in there for one in columns(connection))


def _on_sqlite(column: Column) -> str:
    return f'json_extract(fields, \'$."{column.name}"\') AS "{column.name}"'


def _on_postgresql(column: Column) -> str:
    one = f"fields->'{column.name}'"
    as_text = f"fields->>'{column.name}'"
    if column.kind == "number":
        as_text = (
            f"CASE WHEN jsonb_typeof({one}) = 'number' THEN ({as_text})::double precision END"
        )
    return f'{as_text} AS "{column.name}"'


def _kind(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else "text"


def _insert(connection: Connection, name: str, kind: str, received: float) -> None:
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        module.insert(fields)
        .values(name=name, kind=kind, first_received=received)
        .on_conflict_do_nothing()
    )
