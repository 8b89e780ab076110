"""Options that mean the same in every subcommand that has them."""

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]
