"""`fieldpost doctor`: its command line.

In the command line: `app.command()(doctor_command.doctor)`.
"""

import shutil
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.mqtt import nodes
from fieldpost.options import CaOption, CertOption, JsonOption, KeyOption, optional_broker
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.doctor.check import Check

_MARKS = {
    "ok": ("✓", "green"),
    "missing": ("✗", "bold red"),
    "optional": ("○", "yellow"),
    "note": ("!", "yellow"),
}


def doctor(
    broker: Annotated[
        str | None,
        optional_broker("Look at this broker too"),
    ] = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    node: Annotated[
        str | None,
        typer.Option(
            help="Do at the broker what this node does; without, a made-up one.",
            autocompletion=nodes.complete,
        ),
    ] = None,
    base: Annotated[str, typer.Option(help="Its mqtt.base.")] = "fieldpost",
    owner: Annotated[
        str | None,
        typer.Option(
            help="The broker with an account that may read and write everything: to see what "
            "arrives of a node whose account may only publish.",
            envvar="FIELDPOST_OWNER",
            metavar="URL",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing on this machine, and how to get it.

    With --broker it does there what a node does, under the node's login, says which of a node's
    functions would be missing, and takes away what it left. Opens no port, and asks nobody else on
    the network. Status 1 only if something is missing that is needed.
    """
    from fieldpost.doctor import broker as doctor_broker
    from fieldpost.doctor import check as doctoring
    from fieldpost.doctor import machine as doctor_machine
    from fieldpost.mqtt.tls import ClientFiles

    here = doctoring.this_platform(shutil.which)
    checks = [
        partial(doctor_machine.python, here),
        doctor_machine.tools,
        partial(doctor_machine.serial_ports, here),
        doctor_machine.firmware_parts,
        doctor_machine.emulated_board,
        partial(doctor_machine.programs, here),
        partial(doctor_machine.clock, here),
        doctor_machine.cache,
    ]
    if broker:
        files = ClientFiles(ca, cert, key)
        checks.append(
            partial(doctor_broker.broker, broker, files, owner=owner, node=node, base=base)
        )
    found = doctoring.run(checks)
    needed = [check for check in found if check.state == "missing"]
    if as_json:
        told = {
            "machine": doctoring.machine(),
            "checks": [check.as_json() for check in found],
        }
        failure = ("missing", ", ".join(check.name for check in needed)) if needed else None
        typer.echo(result(told, failure))
    else:
        show(found, doctoring.machine())
        if not broker:
            typer.echo("Not looked at: a broker. Name it with --broker URL.")
        count = f"{len(needed)} to put right, marked ✗."
        typer.echo(count if needed else "Nothing that is needed is missing.")
    if needed:
        raise typer.Exit(1)


def show(found: "list[Check]", machine: str) -> None:
    """A table for people."""
    from rich.table import Table
    from rich.text import Text

    from fieldpost.terminal.console import Console

    console = Console(highlight=False)
    console.print(Text(machine, "dim"))
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in found:
        text = Text(check.text)
        if check.fix:
            text.append(f"\n→ {check.fix}", "bold")
        table.add_row(Text(*_MARKS[check.state]), check.name, text)
    console.print(table)
