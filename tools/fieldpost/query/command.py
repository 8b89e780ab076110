"""`fieldpost gaps` and `fieldpost export`: their command line."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from fieldpost.options import JsonOption, StoreOption
from fieldpost.store.address import DEFAULT_URL
from fieldpost.terminal.result import result

NodesOption = Annotated[
    list[str] | None, typer.Option("--node", help="Only this one's; may be repeated.")
]


def gaps(
    store: StoreOption = DEFAULT_URL,
    node: NodesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing in a store, and what nodes say that they have dropped.

    A number that is missing below one that came was taken by the node. Status 1 if there is any.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from fieldpost.query import gaps as missing
    from fieldpost.query.report import print_gaps
    from fieldpost.store.address import parse
    from fieldpost.store.opened import explained, open_to_read

    address = parse(store)
    engine = open_to_read(address)
    try:
        with engine.connect() as connection:
            found = missing.gaps(connection, node or ())
    except SQLAlchemyError as error:
        raise explained(address, error) from None
    finally:
        engine.dispose()
    lost = sum(one.missing for one in found)
    readings = sum(one.readings for one in found)
    sentence = f"{lost} readings are missing of {lost + readings}"
    failure = ("readings_missing", sentence) if lost else None
    if as_json:
        told = {"nodes": [one.as_json() for one in found], "readings": readings, "missing": lost}
        typer.echo(result(told, failure))
    elif not found:
        typer.echo(f"{address} has no readings" + (" of these nodes" if node else ""))
    else:
        print_gaps(found)
        typer.echo(sentence if lost else f"no reading is missing of {readings}")
    if failure:
        raise typer.Exit(1)


def export(
    store: StoreOption = DEFAULT_URL,
    out: Annotated[
        Path | None, typer.Option(help="The file; by itself, standard output.", dir_okay=False)
    ] = None,
    format_: Annotated[
        Literal["csv", "parquet", "senml"] | None,
        typer.Option("--format", help="By itself, as the file's name says; else CSV."),
    ] = None,
    node: NodesOption = None,
    field: Annotated[
        list[str] | None, typer.Option("--field", help="Only this one; may be repeated.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="2026-11-27T14:00, or 7d: a week ago."),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before then.")] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="One row for 10m, 1h or 1d: mean, least, most and count."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write readings of a store as CSV, Parquet or SenML, by node and time."""
    from fieldpost.errors import Usage
    from fieldpost.query.export import Wish, format_of
    from fieldpost.query.export import export as write
    from fieldpost.query.selection import Selection
    from fieldpost.store.address import parse
    from fieldpost.terminal.progress import FlashScreen
    from fieldpost.times import length_s, point_s

    if as_json and out is None:
        raise Usage("with --json, name the file with --out")
    wish = Wish(
        store=parse(store),
        selection=Selection(
            nodes=tuple(node or ()),
            fields=tuple(field or ()),
            from_s=None if from_ is None else point_s(from_),
            to_s=None if to is None else point_s(to),
        ),
        out=out,
        format=format_of(out, format_),
        every_s=None if every is None else length_s(every),
    )
    with FlashScreen(steps=False) as screen:
        count = write(
            wish, lambda done, total: screen.progress(str(wish.store), "reading", done, total)
        )
        screen.finished(str(wish.store))
    what = "values" if wish.format == "senml" else "rows"
    if as_json:
        typer.echo(result({"file": str(out), "format": wish.format, what: count}))
    elif out is not None:
        typer.echo(f"{count} {what} in {out}")
    else:
        print(f"{count} {what}", file=sys.stderr)
