"""PostgreSQL: rows come by COPY into a temporary table, and from there under their keys.

Of all ways to bring rows in, COPY is the fastest; it knows no ON CONFLICT, hence the two steps.
"""

import importlib.util
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DataError, OperationalError

from fieldpost.errors import MissingTool
from fieldpost.store.rows import COLUMNS, SAME_TIME_S, Reading, Written

_TEMPORARY = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
        place bigint, node text, boot bigint, seq bigint, ts bigint, age_s bigint,
        received double precision, fields jsonb, payload bytea
    ) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY incoming (place, {COLUMNS}) FROM STDIN"
# In one order, so that two who bring the same readings wait for each other and not in a circle.
_INSERT = f"""
    INSERT INTO readings ({COLUMNS}) SELECT {COLUMNS} FROM incoming
    ORDER BY node, boot, seq ON CONFLICT DO NOTHING
"""
_OTHERS = f"""
    SELECT incoming.place FROM incoming JOIN readings USING (node, boot, seq)
    WHERE incoming.fields <> readings.fields OR abs(incoming.ts - readings.ts) > {SAME_TIME_S}
    ORDER BY place
"""
_FILL = """
    UPDATE readings SET ts = incoming.ts FROM incoming
    WHERE readings.node = incoming.node AND readings.boot = incoming.boot
      AND readings.seq = incoming.seq AND readings.ts IS NULL AND incoming.ts IS NOT NULL
      AND readings.fields = incoming.fields
"""
# Nothing is known of a table that was just filled. So the planner takes it for a large one, and
# would read all readings to find these few; or compile, for what it then takes to cost so much.
_BY_KEY = """
    SELECT set_config(name, 'off', true) FROM
    unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'jit']) AS name
"""
# A connection whose other end is gone is noticed within half a minute.
_BOUNDS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def engine(url: str) -> Engine:
    """Connections to the database at `url`. JSON goes in and comes out as text."""
    if importlib.util.find_spec("psycopg") is None:
        raise MissingTool(
            "PostgreSQL needs a package that is not installed: pip install 'fieldpost[postgresql]'"
        )
    return create_engine(
        url,
        pool_size=1,
        max_overflow=4,
        connect_args=_BOUNDS,
        json_serializer=str,
        json_deserializer=_text,
    )


def insert(connection: Connection, given: Sequence[Reading]) -> tuple[Written, list[Reading]]:
    """Store readings, whose keys are all different. Gives what became of them, and those that are
    other readings than the ones under their keys."""
    connection.exec_driver_sql(_TEMPORARY)
    # Of this transaction, if there are two under one key.
    connection.exec_driver_sql("DELETE FROM incoming")
    _copy(connection, given)
    written = Written(stored=connection.exec_driver_sql(_INSERT).rowcount)
    if written.stored == len(given):
        return written, []
    connection.exec_driver_sql(_BY_KEY)
    conflicts = [given[place] for (place,) in connection.exec_driver_sql(_OTHERS)]
    written.filled = connection.exec_driver_sql(_FILL).rowcount
    written.repeated = len(given) - written.stored - len(conflicts)
    return written, conflicts


def _copy(connection: Connection, given: Sequence[Reading]) -> None:
    """SQLAlchemy has no COPY, so it does not see its errors either: here they become its own."""
    import psycopg

    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(_COPY) as copy:
            for place, one in enumerate(given):
                copy.write_row((place, *one.columns))
    except psycopg.DataError as error:
        raise DataError(_COPY, None, error) from None
    except psycopg.Error as error:
        if raw.broken:
            connection.invalidate()
        raise OperationalError(_COPY, None, error) from None


def _text(told: bytes | str) -> str:
    return told if isinstance(told, str) else bytes(told).decode()
