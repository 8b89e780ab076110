"""Readings of a store go to a file, or to standard output, as CSV, Parquet or SenML."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from fieldpost.errors import NotWritten, Usage
from fieldpost.query import formats, parquet, resample, selection
from fieldpost.query.selection import Row, Selection
from fieldpost.store.address import StoreAddress
from fieldpost.store.columns import columns
from fieldpost.store.opened import explained, open_to_read
from fieldpost.terminal.safe_text import as_it_is

Format = Literal["csv", "parquet", "senml"]
_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".json": "senml",
    ".senml": "senml",
}
_OF_A_READING = {
    "node": "text",
    "boot": "integer",
    "seq": "integer",
    "time": "time",
    "ts": "integer",
    "age_s": "integer",
    "received": "number",
}
_OF_A_STRETCH = {"node": "text", "time": "time", "readings": "integer"}


@dataclass(frozen=True)
class Wish:
    """out: None for standard output. every_s: None for each reading as it is."""

    store: StoreAddress
    selection: Selection
    out: Path | None
    format: Format
    every_s: int | None = None


def format_of(out: Path | None, given: Format | None) -> Format:
    """What was said, else what the file's name says, else CSV."""
    if given:
        made = given
    elif out is None:
        made = "csv"
    elif out.suffix.lower() in _BY_SUFFIX:
        made = _BY_SUFFIX[out.suffix.lower()]
    else:
        raise Usage(f"say with --format what {out} is to be: csv, parquet or senml")
    if made == "parquet" and out is None:
        raise Usage("Parquet goes to a file: name it with --out")
    return made


def export(wish: Wish, progress: Callable[[int, int], None]) -> int:
    """Write what is wished; how many rows, or values of SenML. progress: told how many readings
    are done, and how many there are.

    Raises CommandError for a store that can't be read and a file that can't be written: that file
    is then not there.
    """
    if wish.format == "parquet":
        parquet.check_installed()
    engine = open_to_read(wish.store)
    try:
        with engine.connect() as connection, _whole_file(wish) as part:
            return _written(connection, wish, part, progress)
    except SQLAlchemyError as error:
        raise explained(wish.store, error) from None
    except OSError as error:
        if wish.out is None:
            raise
        raise NotWritten(f"{wish.out} can't be written: {error.strerror}") from None
    finally:
        engine.dispose()


@contextlib.contextmanager
def _whole_file(wish: Wish) -> Iterator[Path | None]:
    """Where to write: beside the file, which is put in place when it is whole."""
    if wish.out is None:
        yield None
        return
    part = wish.out.with_name(f".{wish.out.name}.part")
    try:
        yield part
        part.replace(wish.out)
    finally:
        part.unlink(missing_ok=True)


def _written(
    connection: Connection, wish: Wish, part: Path | None, progress: Callable[[int, int], None]
) -> int:
    names = selection.names(connection, wish.selection)
    total = selection.count(connection, wish.selection)
    kinds = {one.name: one.kind for one in columns(connection)}
    found = _watched(selection.rows(connection, wish.selection), total, progress)
    if wish.format == "senml":
        with _opened(part) as out:
            return formats.to_senml(_told(found, wish.every_s), out)
    if wish.every_s is None:
        fixed, listed = _OF_A_READING, names
        table: Iterable[list[Any]] = (_reading(row, names) for row in found)
    else:
        measured = [name for name in names if kinds.get(name) != "text"]
        fixed, listed = _OF_A_STRETCH, resample.columns_of(measured)
        stretches = resample.resampled(found, wish.every_s)
        table = (
            [one.node, one.time, one.readings, *(one.values.get(name) for name in listed)]
            for one in stretches
        )
    heads = [*fixed, *listed]
    if wish.format == "csv":
        with _opened(part) as out:
            return formats.to_csv(table, heads, out)
    assert part
    if wish.every_s is None:
        types = [kinds.get(name, "text") for name in names]
    else:
        types = ["integer" if name.endswith("_count") else "number" for name in listed]
    return parquet.to_parquet(table, heads, [*fixed.values(), *types], part)


def _reading(row: Row, names: list[str]) -> list[Any]:
    mine = [row.node, row.boot, row.seq, row.time, row.ts, row.age_s, row.received]
    return [*mine, *(row.values.get(name) for name in names)]


def _told(
    found: Iterable[Row], every_s: int | None
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """(node, time, values) for SenML, which has a mean under the field's own name."""
    if every_s is None:
        for row in found:
            yield row.node, row.time, row.values
        return
    for one in resample.resampled(found, every_s):
        means = {
            name.removesuffix("_mean"): value
            for name, value in one.values.items()
            if name.endswith("_mean")
        }
        yield one.node, one.time, means


@contextlib.contextmanager
def _opened(part: Path | None) -> Iterator[TextIO]:
    if part is None:
        # A program reads it, or a person has asked for it.
        yield sys.stdout if sys.stdout.isatty() else as_it_is(sys.stdout)
        sys.stdout.flush()
        return
    with part.open("w", encoding="utf-8", newline="") as out:
        yield out


def _watched(
    found: Iterable[Row], total: int, progress: Callable[[int, int], None]
) -> Iterator[Row]:
    for number, row in enumerate(found):
        if number % 5000 == 0:
            progress(number, total)
        yield row
