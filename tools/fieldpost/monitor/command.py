"""`fieldpost monitor`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.board.choose import complete_ports
from fieldpost.mqtt import nodes
from fieldpost.options import CaOption, CertOption, KeyOption, optional_broker


def monitor(
    port: Annotated[
        str | None,
        typer.Option(
            help="The board's; by itself, the one that is connected.",
            autocompletion=complete_ports,
        ),
    ] = None,
    broker: Annotated[
        str | None,
        optional_broker("Show the nodes' messages too"),
    ] = None,
    node: Annotated[
        str | None, typer.Option(help="Only this node's messages.", autocompletion=nodes.complete)
    ] = None,
    base: Annotated[str, typer.Option(help="mqtt.base of the nodes.")] = "fieldpost",
    log: Annotated[
        Path | None, typer.Option(help="Append everything to this file, with the time.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: a line each.")] = False,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Watch a board's console and the nodes' messages, until Ctrl-C.

    The board's program is not disturbed. A board that is unplugged is waited for.
    """
    from fieldpost.monitor.monitor import Options, monitor_command
    from fieldpost.mqtt.tls import ClientFiles

    monitor_command(
        Options(port, broker, ClientFiles(ca, cert, key), node, base, log, as_json, timeout)
    )
