"""`fieldpost setup`: fetches upstream's umqtt.simple."""

from pathlib import Path
from typing import Annotated

import typer


def setup(
    umqtt: Annotated[
        Path | None, typer.Option(help="A copy of umqtt.simple: its archive or its simple.py.")
    ] = None,
) -> None:
    """Fetch upstream's umqtt.simple to its place, unless it is there."""
    from fieldpost import umqtt as fetched

    typer.echo(fetched.install(umqtt))
