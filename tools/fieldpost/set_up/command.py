"""`fieldpost setup`: fetches upstream's umqtt.simple."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.options import JsonOption
from fieldpost.terminal.result import result


def setup(
    umqtt: Annotated[
        Path | None, typer.Option(help="A copy of umqtt.simple: its archive or its simple.py.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch upstream's umqtt.simple to its place, unless it is there."""
    from fieldpost import umqtt as fetched

    done = fetched.install(umqtt)
    typer.echo(result({"path": str(fetched.TARGET), "text": done}) if as_json else done)
