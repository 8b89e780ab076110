"""`fieldpost config …`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.options import DriversOption, JsonOption

app = typer.Typer(help="A node's configuration.", no_args_is_help=True)


@app.command()
def check(
    file: Path,
    board: Annotated[
        str | None,
        typer.Option(help="pico_w, pico2_w, esp32, esp32-c3 …: check the pins against it, too."),
    ] = None,
    drivers: DriversOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config.json, with the secrets.json beside it, as the node will."""
    from fieldpost.config import report

    raise typer.Exit(report.check_and_tell(file, as_json, board, drivers))


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Every key of config.json and secrets.json: type, range, default, meaning."""
    from fieldpost.config.reference import show_command

    raise typer.Exit(show_command(as_json))
