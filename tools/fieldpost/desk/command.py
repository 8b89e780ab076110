"""`fieldpost run`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.errors import BadFile
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.options import DriversOption, SetOption, ValuesOption


def run(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="With a config.json, and your drivers; else an example runs.",
        ),
    ] = None,
    settings: SetOption = None,
    values: ValuesOption = None,
    drivers: DriversOption = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Start the node anew when one of its files changes."),
    ] = False,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, max=86400, metavar="S", help="A reading every S seconds, as sample_s has it."
        ),
    ] = None,
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="Else one of its own is started.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="For mqtts://: who signed the broker's certificate.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="The node's own certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of that certificate.")] = None,
    cpython: Annotated[
        bool, typer.Option("--cpython", help="Run the firmware in CPython, not in MicroPython.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many readings.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Readings as one object a line; the rest to stderr.")
    ] = False,
) -> None:
    """Run a node on this computer: the real firmware, its sensors emulated, until Ctrl-C.

    Shows its console, and each reading as the broker gets it. docs/desk.md has a walk.
    """
    from fieldpost.desk.desk_node import Source
    from fieldpost.desk.run import Options, run_command

    if folder is not None and not folder.exists():
        raise BadFile(f"there is no folder {folder}")
    raise typer.Exit(
        run_command(
            Options(
                source=Source(folder, drivers, tuple(settings or ()), values, every),
                broker=broker,
                tls=ClientFiles(ca, cert, key),
                interpreter="cpython" if cpython else None,
                watches=watch,
                count=count,
                seconds=seconds,
                as_json=as_json,
            )
        )
    )
