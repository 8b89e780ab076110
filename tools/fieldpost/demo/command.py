"""`fieldpost demo`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.mqtt.brokers import Program
from fieldpost.node_process import Interpreter
from fieldpost.options import JsonOption


def demo(
    keep: Annotated[bool, typer.Option(help="Run on afterwards, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    using: Annotated[
        Program | None, typer.Option(help="The broker; by itself, the first that is installed.")
    ] = None,
    interpreter: Annotated[
        Interpreter | None, typer.Option(help="For the node; by itself, the first there is.")
    ] = None,
    readings: Annotated[int, typer.Option(min=2, help="Before the outage.")] = 6,
    outage: Annotated[float, typer.Option(min=1, help="Seconds without a broker.")] = 6.0,
    page: Annotated[
        bool, typer.Option("--page", help="Show it on a page in the browser, too, and end there.")
    ] = False,
    picture: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Show a node live through an outage of its broker, and count what arrives.

    Status 0 only if nothing was lost, nothing duplicated, and the outage was real.
    """
    from fieldpost.demo.demo import Options, demo_command

    options = Options(
        keep=keep,
        as_json=as_json,
        using=using,
        interpreter=interpreter,
        readings=readings,
        outage_s=outage,
        picture=picture,
        page=page,
    )
    raise typer.Exit(demo_command(options))
