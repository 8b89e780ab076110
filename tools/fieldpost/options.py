"""Options that mean the same in every subcommand that has them."""

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]
DriversOption = Annotated[
    Path | None,
    typer.Option(
        help="A folder of drivers of your own; docs/sensors.md says how to write one.",
        envvar="FIELDPOST_DRIVERS",
        metavar="DIR",
    ),
]
