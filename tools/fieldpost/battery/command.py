"""`fieldpost battery`: how long a configured node lasts on a cell, and what would help most."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fieldpost.battery.boards import BOARDS
from fieldpost.battery.cells import CELLS
from fieldpost.board import names
from fieldpost.errors import BadConfig, BadFile, Usage
from fieldpost.file_names import SECRETS, config_at
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result

CellName = Literal[
    "18650",
    "lipo-1000",
    "lifepo4-18650",
    "2xaa",
    "3xaa",
    "2xaa-lithium",
    "3xaa-nimh",
    "cr123",
]
JoinName = Literal["rejoin", "static", "scan"]


def battery(
    config: Annotated[Path, typer.Argument(help="A node's config.json, or its folder.")],
    board: Annotated[
        str | None,
        typer.Option(
            help=f"The board it runs on: {', '.join(BOARDS)}. By itself, the board in the file.",
            metavar="NAME",
            autocompletion=names.completing(lambda: BOARDS),
        ),
    ] = None,
    cell: Annotated[CellName, typer.Option(help="What it runs on.")] = "18650",
    sleep_ua: Annotated[
        str | None,
        typer.Option(
            "--sleep-ua",
            metavar="UA",
            help="The board's own current asleep, measured: 55, or 40:70. It decides the result.",
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=-40, max=85, help="Of the cell, in degrees Celsius.")
    ] = 20.0,
    join: Annotated[
        JoinName | None,
        typer.Option(help="How it joins; by itself the fast rejoin that the firmware does."),
    ] = None,
    extra_ua: Annotated[
        float, typer.Option("--extra-ua", min=0, help="What else always draws, in uA.")
    ] = 0.0,
    measured: Annotated[
        Path | None, typer.Option(help='Log of a node with "profile": true: its own times.')
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any figure: scan_ms=700 or 700:2000."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the wake and the life: a .png or .svg file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how long a node lasts on batteries, where the charge goes, and what would help most.

    Each figure has a low and a high case, from what was published for its board; docs/battery.md
    names the sources and the limits.
    """
    from fieldpost.battery import measured as battery_measured
    from fieldpost.battery import model, overrides
    from fieldpost.battery import plot as battery_plot
    from fieldpost.battery import report as battery_report

    if plot:
        battery_plot.check_plot(plot)
    if not math.isfinite(temperature) or not math.isfinite(extra_ua):
        raise Usage("--temperature and --extra-ua must be finite numbers")
    settings = _settings(config)
    changes = [*(override or []), *([] if sleep_ua is None else [f"sleep_ua={sleep_ua}"])]
    figures, on_cell = overrides.override(
        BOARDS[_board(board or settings["board"])], CELLS[cell], changes
    )
    node = model.node_from(settings, figures, on_cell, join, extra_ua)
    if measured:
        node = battery_measured.apply(node, battery_measured.read_log(measured), measured.name)
    report = battery_report.report(settings["node"], node, on_cell, temperature)
    if plot:
        battery_plot.draw(plot, node, on_cell, temperature, settings["node"])
    if as_json:
        print(result(report))
    else:
        battery_report.show(report)
        if plot:
            typer.echo(f"\nDrawn: {plot}")


def _board(name: str | None) -> str:
    if name is None:
        raise Usage(
            'the board decides what a node draws: name it with --board, or in the file: "board": '
            f'"{next(iter(BOARDS))}". Known are {", ".join(BOARDS)}'
        )
    known = names.same(names.without_variant(name), BOARDS)
    if known is None:
        raise typer.BadParameter(f"{name}: its figures are not known, only {', '.join(BOARDS)}")
    return known


def _settings(path: Path) -> dict[str, Any]:
    """The checked settings of a config.json; its secrets matter nothing here, nor need exist."""
    from fieldpost.config import files as config_files
    from firmware.config import check as config

    if not path.exists():
        raise BadFile(f"there is no {path}")
    settings, errors = config_files.load(path)
    if settings is None and all(error.startswith(SECRETS) for error in errors):
        stand_in = {"wifi": [{"ssid": "-", "password": ""}]}
        settings, errors = config.check(
            json.loads(config_at(path).read_text(encoding="utf-8")), stand_in
        )
    if settings is None:
        raise BadConfig("\n  ".join([f"{path} has errors:", *errors]))
    return settings
