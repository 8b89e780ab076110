"""The version of a store's schema, and the steps that bring an older one to it.

A step is a function of a connection. There are few of them and they are short, so Alembic, with
its folder of scripts, its own table and its command, would be more to keep than they are.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from fieldpost.store import tables
from fieldpost.store.errors import StoreUnfit

Step = Callable[[Connection], None]
_VERSION = "version"
# Only one at a time changes a schema, however many begin together.
_LOCK = 4_620_231_601


def _first(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        for number in range(tables.PARTITIONS):
            connection.execute(
                text(
                    f"CREATE TABLE readings_{number} PARTITION OF readings "
                    f"FOR VALUES WITH (MODULUS {tables.PARTITIONS}, REMAINDER {number})"
                )
            )


# The version of a schema is the number of its last step. A step that a release had stays as it is.
STEPS: tuple[Step, ...] = (_first,)


def version_of(connection: Connection) -> int | None:
    """The version of what is there; 0 for nothing, None for what is no store of ours."""
    found = set(inspect(connection).get_table_names())
    if "meta" not in found:
        return None if found & set(tables.metadata.tables) else 0
    try:
        told = connection.execute(
            select(tables.meta.c.value).where(tables.meta.c.name == _VERSION)
        ).scalar()
    except DBAPIError:
        return None
    return int(told) if told and told.isdecimal() else None


def bring_up_to_date(engine: Engine, shown: str, steps: Sequence[Step] = STEPS) -> int:
    """Take the steps that are missing, all or none; gives the version that was there.

    Raises StoreUnfit for a store of a newer version, or for tables of others.
    """
    with engine.connect() as connection:
        if _checked(connection, shown, steps) == len(steps):
            return len(steps)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        before = _checked(connection, shown, steps)
        for step in steps[before:]:
            step(connection)
        if before != len(steps):
            connection.execute(tables.meta.delete().where(tables.meta.c.name == _VERSION))
            connection.execute(tables.meta.insert().values(name=_VERSION, value=str(len(steps))))
        return before


def _checked(connection: Connection, shown: str, steps: Sequence[Step]) -> int:
    version = version_of(connection)
    if version is None:
        raise StoreUnfit(
            f"{shown} has tables of another program: give readings a database of their own"
        )
    if version > len(steps):
        raise StoreUnfit(
            f"{shown} was written by a newer Fieldpost (its schema has version {version}, "
            f"this Fieldpost knows {len(steps)}): update Fieldpost"
        )
    return version
