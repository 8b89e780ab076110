"""Parquet, by pyarrow: a file of columns, written in groups of rows."""

import importlib.util
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fieldpost.errors import MissingTool

# Rows that are held at once, and read at once by others.
_GROUP = 50_000


def check_installed() -> None:
    """Raise CommandError where pyarrow is not."""
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingTool(
            "Parquet needs a large package that is not installed: "
            "pip install 'fieldpost[parquet]', or write CSV"
        )


def to_parquet(
    table: Iterable[Sequence[Any]], heads: Sequence[str], kinds: Sequence[str], path: Path
) -> int:
    """Write it; how many rows. kinds: of the columns, `text`, `integer`, `number` or `time`, which
    is Unix seconds and becomes a point in time in UTC. A value of another kind is left out."""
    check_installed()
    import pyarrow
    import pyarrow.parquet

    types = {
        "text": pyarrow.string(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "time": pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema([(head, types[kind]) for head, kind in zip(heads, kinds, strict=True)])
    count = 0
    rows = iter(table)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(itertools.islice(rows, _GROUP)):
            columns = [
                pyarrow.array([_CASTS[kind](row[place]) for row in group], types[kind])
                for place, kind in enumerate(kinds)
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            count += len(group)
    return count


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _microseconds(value: Any) -> int | None:
    # What is beyond the year 9999 no program takes for a time.
    return round(value * 1e6) if value is not None and abs(value) < 253_402_300_800 else None


_CASTS = {"text": _text, "number": _number, "integer": _integer, "time": _microseconds}
