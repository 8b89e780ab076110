"""`fieldpost boards`: what is connected, as a table or as JSON."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.board.choose import complete_ports
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral, neutral_lines
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.board.find import Board

# What is longer than that is cut where its column ends: a board may say that it is anything.
_WORD_MAX = 24
_NONE = """\
No board was found. What helps, in this order:
 - another USB cable: many carry power only;
 - another USB port, without a hub;
 - on Windows, the driver of the board's serial bridge (CP210x or CH340), from its maker;
 - on a new Pico W: hold BOOTSEL while plugging it in, then run this again.
Without a board at hand, `fieldpost emulate --bare` is one in another window."""


def boards(
    port: Annotated[
        list[str] | None,
        typer.Option(help="Only this port; may be repeated.", autocompletion=complete_ports),
    ] = None,
    as_json: JsonOption = False,
    timeout: Annotated[float, typer.Option(min=0.5, help="Seconds for each board.")] = 3.0,
    ask: Annotated[
        bool, typer.Option(help="Ask what runs there; it is stopped and started again for that.")
    ] = True,
) -> None:
    """List the connected boards, and what runs on each.

    None is an answer, too: an empty list, and status 0. Status 1 only if a port was named and no
    MicroPython or bootloader answers there.
    """
    from fieldpost.board import find as survey

    found = survey.find(port or (), limit_s=timeout, ask=ask)
    silent = [b for b in found if b.state not in ("micropython", "bootloader")]
    failure = None
    if port and ask and silent:
        where = ", ".join(board.port for board in silent)
        codes = {board.code or "board_silent" for board in silent}
        code = codes.pop() if len(codes) == 1 else "board_silent"
        failure = (code, f"no MicroPython or bootloader at {where}")
    if as_json:
        typer.echo(result({"boards": [board.as_json() for board in found]}, failure))
    else:
        _show(found)
    if failure:
        raise typer.Exit(1)


def _show(found: "list[Board]") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from fieldpost.terminal.console import Console, longest_word

    if not found:
        typer.echo(fit(_NONE, sys.stdout))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows = [
        (board.port, board.chip or "?", _runs(board), neutral(board.node or ""), board.usb)
        for board in found
    ]
    headings = ("Port", "Chip", "Runs", "Node", "USB")
    for heading, texts in zip(headings, zip(*rows, strict=True), strict=True):
        least = min(longest_word([heading, *texts]), _WORD_MAX)
        table.add_column(heading, overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
    for board in found:
        if board.detail:
            named = board.port in board.detail
            text = board.detail if named else f"{board.port}: {board.detail}"
            typer.echo(fit(text, sys.stdout))


def _runs(board: "Board") -> str:
    if board.state == "bootloader":
        return "bootloader: waits for an image"
    if board.state != "micropython":
        return board.state
    fieldpost = f"Fieldpost {board.fieldpost}" if board.fieldpost else "no Fieldpost"
    text = f"{fieldpost}\nMicroPython {board.micropython}\n{board.build or board.machine}"
    return neutral_lines(text)
