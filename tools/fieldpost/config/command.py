"""`fieldpost config …`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.board import names
from fieldpost.options import DriversOption, JsonOption

app = typer.Typer(help="A node's configuration.", no_args_is_help=True)


def _boards() -> list[str]:
    from fieldpost.config.pins import boards

    return boards()


@app.command()
def check(
    file: Path,
    board: Annotated[
        str | None,
        typer.Option(
            help="pico-w, esp32-c3 …: whose pins. By itself, the board in the file.",
            autocompletion=names.completing(_boards),
        ),
    ] = None,
    drivers: DriversOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config.json, with the secrets.json beside it if there is one, as the node will."""
    from fieldpost.config import report

    raise typer.Exit(report.check_and_tell(file, as_json, board, drivers))


def _keys(incomplete: str) -> list[str]:
    from fieldpost.config.reference import known, paths

    return sorted({one for one in (*known(), *paths()) if one.startswith(incomplete)})


@app.command()
def show(
    key: Annotated[
        str | None,
        typer.Argument(
            help="Only this key, a section (mqtt.tls) or a sensor type (bme280).",
            autocompletion=_keys,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Every key of config.json and secrets.json: type, range, default, meaning."""
    from fieldpost.config.reference import show_command

    raise typer.Exit(show_command(as_json, key))
