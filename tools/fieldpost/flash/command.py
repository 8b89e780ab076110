"""`fieldpost flash`: MicroPython onto one board or all that are connected."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.board import names
from fieldpost.board.choose import WaitOption, complete_ports
from fieldpost.errors import BadFile, NoBoard, Usage
from fieldpost.options import JsonOption
from fieldpost.terminal.result import all_of
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.flash.flashing import Outcome, Wish

_BAUD = 460_800
_NO_BOARD = (
    "no board was found. Plug one in with a cable that carries data; a new Pico W needs its "
    "BOOTSEL button held while it is plugged in. `fieldpost boards` says what is seen."
)


def _boards() -> list[str]:
    from fieldpost.flash import catalogue

    return sorted({entry.board for entry in catalogue.load()})


def flash(
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="The board's port, or UF2 volume; may be repeated.", autocompletion=complete_ports
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every board that is connected.")] = False,
    image: Annotated[
        Path | None, typer.Option(help="A .bin or .uf2 file, instead of the right one by itself.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of MicroPython; by itself, the newest in the catalogue.")
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            help="MicroPython's name of the board, where it can't say so itself.",
            autocompletion=names.completing(_boards),
        ),
    ] = None,
    erase: Annotated[
        bool, typer.Option(help="ESP32: remove everything first, the board's files too.")
    ] = False,
    ota: Annotated[
        bool,
        typer.Option(
            "--ota",
            help="ESP32: room for MicroPython twice, so that it can be updated over the air, too.",
        ),
    ] = False,
    baud: Annotated[
        int, typer.Option(min=9600, help="ESP32: to begin with; lowered if it fails.")
    ] = _BAUD,
    reset: Annotated[
        bool, typer.Option(help="ESP32: --no-reset if BOOT and RESET were pressed by hand.")
    ] = True,
    volume: Annotated[
        Path | None, typer.Option(help="Pico: the bootloader's drive, if it isn't found.")
    ] = None,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put MicroPython on a board, and check that it answers.

    The board's chip is asked first, and an image for another is refused. Status 0 only if every
    board was written, verified, and answers.
    """
    from fieldpost.flash.flashing import Limits, Wish, targets

    if image and version:
        raise Usage("give either --image or --version: a file has its version in it")
    if image and not image.is_file():
        raise BadFile(f"there is no file {image}")
    limits = Limits(wake_s=wait)
    wish = Wish(image, version, board, erase, baud, reset, volume, limits, ota)
    wanted = targets(port or (), every, volume)
    if not wanted and (every or not sys.stdin.isatty()):
        raise NoBoard(_NO_BOARD)
    outcomes = _flash_all(wanted, wish)
    if as_json:
        typer.echo(all_of("boards", [outcome.as_json() for outcome in outcomes], "flashing"))
    else:
        _show(outcomes)
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(1)


def _flash_all(wanted: list[str], wish: "Wish") -> "list[Outcome]":
    """ESP32s at once. Picos after one another, or their volumes could not be told apart."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from fieldpost.flash import flashing
    from fieldpost.terminal.progress import FlashScreen

    with FlashScreen() as screen:
        if not wanted:
            return [flashing.flash_by_hand(wish, screen)]
        one_pico = threading.Lock()

        def one(target: str) -> "Outcome":
            alone = flashing.is_pico(target) and len(wanted) > 1
            if alone:
                one_pico.acquire()
            try:
                outcome = flashing.flash(target, wish, screen)
            finally:
                if alone:
                    one_pico.release()
            screen.finished(target)
            return outcome

        if len(wanted) == 1:
            # In this thread, so that Ctrl-C ends it, however long it would still wait for a hand.
            return [one(wanted[0])]
        with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            return list(pool.map(one, wanted))


def _show(outcomes: "list[Outcome]") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from fieldpost.terminal.console import Console

    if len(outcomes) == 1:
        (only,) = outcomes
        mark = "done" if only.ok else "failed"
        typer.echo(fit(f"{mark} in {only.seconds:g} s: {only.text}", sys.stdout))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("Port", "", "Chip", "What happened", "s"):
        table.add_column(heading, overflow="fold")
    for one in outcomes:
        table.add_row(
            Text(one.port),
            "ok" if one.ok else "failed",
            one.chip,
            Text(one.text),
            f"{one.seconds:g}",
        )
    Console(highlight=False).print(table)
