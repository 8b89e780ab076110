"""`fieldpost fleet`: its command line, and the table at the end.

In the command line: `app.command()(fleet_command.fleet)`.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fieldpost.board.choose import WaitOption, complete_ports
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.board.find import Board
    from fieldpost.fleet.fleet import Report

# What is longer than that is cut where its column ends.
_WORD_MAX = 20
_STYLES = {"failed": "bold red", "done": "green", "to do": "yellow", "absent": "dim"}


def fleet(
    file: Annotated[Path, typer.Argument(help="TOML; docs/fleet.md says what is in it.")],
    action: Annotated[Literal["plan", "apply"], typer.Argument(help="Say it, or do it.")],
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Boards at once.")] = 4,
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the boards' logs; by itself, beside FILE.")
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="Look at this port alone; may be repeated.", autocompletion=complete_ports
        ),
    ] = None,
    umqtt: Annotated[
        Path | None, typer.Option(help="A umqtt.simple to install, its simple.py.")
    ] = None,
    ready: Annotated[
        float, typer.Option(min=0, help="Seconds for a node to be ready; 0: do not wait.")
    ] = 30.0,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the connected boards what FILE says: MicroPython, firmware, configuration.

    Asks nothing. What is up to date or absent is left out, and a failure stops no other board.
    Status 0 only if none failed.
    """
    from fieldpost.fleet import file as fleet_file
    from fieldpost.fleet.board import Source
    from fieldpost.fleet.fleet import Fleet
    from fieldpost.terminal.progress import FlashScreen

    nodes = fleet_file.load(file)
    folder = (logs or file.with_name(f"{file.stem}-logs")) if action == "apply" else None
    with FlashScreen() as screen:
        fleet = Fleet(
            nodes,
            screen,
            logs=folder,
            jobs=jobs,
            ports=port or (),
            source=Source(umqtt=umqtt, ready_s=ready),
            wait_s=wait,
        )
        report = fleet.apply() if action == "apply" else fleet.plan()
    if as_json:
        told = {
            "nodes": [result.as_json() for result in report.nodes],
            "others": [other.as_json() for other in report.others],
        }
        typer.echo(result(told, report.failure))
    else:
        _show(report)
    if report.failure:
        raise typer.Exit(1)


def _show(report: "Report") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from fieldpost.terminal.console import Console, longest_word

    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, texts in {
        "Node": [one.name for one in report.nodes],
        "Port": [one.port or one.id for one in report.nodes],
        "": [one.state for one in report.nodes],
        "What": [],
        "s": ["10.5"],
    }.items():
        least = min(longest_word([heading, *texts]), _WORD_MAX)
        table.add_column(heading, overflow="fold", min_width=least)
    for one in report.nodes:
        # As Text: what a board says is no mark-up. Neutral before it is laid out, not after.
        table.add_row(
            Text(one.name),
            Text(one.port or one.id, "" if one.port else "dim"),
            Text(one.state, _STYLES.get(one.state, "")),
            Text(neutral(one.text)),
            f"{one.seconds:g}" if one.seconds else "",
        )
    console.print(table)
    for other in report.others:
        is_port = other.code != "board_port"
        text = f"not in the file: {_named(other)}" if is_port else other.detail
        typer.echo(fit(text, sys.stdout))
    counts = [
        f"{count} {state}"
        for state in ("done", "to do", "up to date", "absent", "failed")
        if (count := sum(result.state == state for result in report.nodes))
    ]
    console.print(", ".join(counts))
    logs = {str(Path(one.log).parent) for one in report.nodes if one.log}
    if logs:
        typer.echo(fit(f"logs: {', '.join(sorted(logs))}", sys.stdout))


def _named(board: "Board") -> str:
    words = [board.port, board.machine or board.usb, board.state]
    if number := board.uid or board.serial:
        words.append(f'id = "{number}"')
    return ", ".join(word for word in words if word)
