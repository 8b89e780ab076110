"""A curve of one field of one node: as it was measured, or, of many readings, what they come to.

SQLite itself makes a year of readings as many points as a screen has room for: of each stretch of
time the mean, the least and the most.
"""

import math
import re
from typing import Any

from sqlalchemy import Connection, Engine, text

POINTS_MAX = 2000
_GAPS_MAX = 500
# As SQLite's JSON functions take it in quotes.
_IS_FIELD = re.compile(r'[^"\\\x00-\x1f]{1,120}')
_TIME = "coalesce(ts, received - coalesce(age_s, 0))"
_RANGE = """
    node = :node AND (
        ts BETWEEN :begin AND :end
        OR (ts IS NULL AND received - coalesce(age_s, 0) BETWEEN :begin AND :end)
    )
"""
# SQLite before 3.45 finds no name that JSON has in escapes, and by looking at each it does.
_PLAIN = "json_extract(fields, :path)"
_ESCAPED = "(SELECT value FROM json_each(fields) WHERE key = :field)"
_COUNT = f"SELECT count(*) FROM readings WHERE {_RANGE}"
_ROWS = f"""
    SELECT boot, seq, {_TIME} AS t, received, ts IS NULL AS guessed,
        {{value}} AS v FROM readings WHERE {_RANGE} ORDER BY t, boot, seq
"""
# `+` keeps SQLite from looking up each reading by its time, where most of them are wanted.
_STRETCHES = """
    SELECT min(t), max(t), avg(v), min(v), max(v), count(v), sum(received - t > :late_s) FROM (
        SELECT {time} AS t, received, {value} AS v
        FROM readings WHERE {range}
    ) WHERE typeof(v) IN ('integer', 'real')
    GROUP BY cast((t - :begin) / :width AS INTEGER) ORDER BY 1
"""
_WHOLE = f"node = :node AND +{_TIME} BETWEEN :begin AND :end"
_EXTENT = f"""
    SELECT min(t), max(t) FROM (
        SELECT min(ts) AS t FROM readings WHERE node = :node AND ts IS NOT NULL
        UNION ALL SELECT max(ts) FROM readings WHERE node = :node AND ts IS NOT NULL
        UNION ALL SELECT min({_TIME}) FROM readings WHERE node = :node AND ts IS NULL
        UNION ALL SELECT max({_TIME}) FROM readings WHERE node = :node AND ts IS NULL
    )
"""
# The first boot that was seen may have been joined in the middle, and the beginning of one may
# have been removed for its age. Any other begins at 0.
_GAPS = """
    SELECT boot, before_seq + 1, seq - 1, coalesce(before_t, t), t FROM (
        SELECT boot, seq, t, lag(t) OVER one AS before_t,
            coalesce(lag(seq) OVER one, CASE WHEN boot = (
                SELECT min(boot) FROM readings WHERE node = :node
            ) OR boot IN (SELECT boot FROM removed WHERE node = :node)
            THEN seq - 1 ELSE -1 END) AS before_seq
        FROM (SELECT boot, seq, {time} AS t FROM readings WHERE node = :node AND boot IN (
            SELECT DISTINCT boot FROM readings WHERE {range}))
        WINDOW one AS (PARTITION BY boot ORDER BY seq)
    ) WHERE seq > before_seq + 1 AND t >= :begin AND coalesce(before_t, t) <= :end
    ORDER BY t LIMIT :most
"""


def is_field(name: str) -> bool:
    """Whether there can be a curve of it."""
    return bool(_IS_FIELD.fullmatch(name))


def extent(engine: Engine, node: str) -> tuple[float, float] | None:
    """When the first and the last reading of a node were taken; None: it has none."""
    with engine.connect() as connection:
        found = connection.execute(text(_EXTENT), {"node": node}).one()
    return None if found[0] is None else (float(found[0]), float(found[1]))


def curve(
    engine: Engine,
    node: str,
    field: str,
    begin: float,
    end: float,
    points: int,
    late_s: float,
) -> dict[str, Any]:
    """The curve from `begin` to `end`, in Unix seconds.

    late_s: a reading that came later than that after it was taken is called late. Of `points`
    readings at most each is there, with its key; of more, stretches of time. A reading without a
    number for the field has the value None.
    """
    given = {"node": node, "begin": begin, "end": end, "late_s": late_s}
    given |= {"field": field, "path": f'$."{field}"'}
    with engine.connect() as connection:
        count = connection.execute(text(_COUNT), given).scalar_one()
        if count <= points:
            made = _single(connection, given, late_s)
        else:
            made = _stretches(connection, given, points, count)
    return {**made, "count": count, "begin": begin, "end": end, "late_s": late_s}


def gaps(engine: Engine, node: str, begin: float, end: float) -> list[dict[str, Any]]:
    """Readings that were taken, for others around them were, and are not in the store."""
    given = {"node": node, "begin": begin, "end": end, "most": _GAPS_MAX}
    with engine.connect() as connection:
        rows = connection.execute(text(_GAPS.format(time=_TIME, range=_RANGE)), given)
        return [
            {"boot": boot, "first": first, "last": last, "begin": before, "end": after}
            for boot, first, last, before, after in rows
        ]


def _single(connection: Connection, given: dict[str, Any], late_s: float) -> dict[str, Any]:
    query = _ROWS.format(value=_of(given))
    found = [tuple(row) for row in connection.execute(text(query), given)]
    return {
        "is_single": True,
        "t": [row[2] for row in found],
        "value": [_value(row[5]) for row in found],
        "late": [int(row[3] - row[2] > late_s) for row in found],
        "guessed": [row[4] for row in found],
        "received": [row[3] for row in found],
        "key": [[row[0], row[1]] for row in found],
    }


def _stretches(
    connection: Connection, given: dict[str, Any], points: int, count: int
) -> dict[str, Any]:
    width = max((given["end"] - given["begin"]) / points, 1e-3)
    every = connection.execute(
        text("SELECT count(*) FROM readings WHERE node = :node"), given
    ).scalar_one()
    query = _STRETCHES.format(
        time=_TIME, value=_of(given), range=_WHOLE if count * 3 > every else _RANGE
    )
    found = [tuple(row) for row in connection.execute(text(query), {**given, "width": width})]
    return {
        "is_single": False,
        "width": width,
        "t": [(row[0] + row[1]) / 2 for row in found],
        "value": [_finite(row[2]) for row in found],
        "low": [row[3] for row in found],
        "high": [row[4] for row in found],
        "readings": [row[5] for row in found],
        "late": [row[6] for row in found],
    }


def _finite(mean: float) -> float | None:
    """The sum of the largest numbers there are is none."""
    return mean if math.isfinite(mean) else None


def _of(given: dict[str, Any]) -> str:
    return _PLAIN if given["field"].isascii() else _ESCAPED


def _value(found: Any) -> Any:
    """A number, or a text as it is; what JSON has besides is no value of a curve's."""
    return found if isinstance(found, int | float | str) else None
