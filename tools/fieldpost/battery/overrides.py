"""Figures of a board and a cell that the command line replaces: `--set KEY=VALUE`."""

import difflib
import math
from dataclasses import fields, replace

from fieldpost.battery.boards import Board
from fieldpost.battery.cells import Cell
from fieldpost.battery.ranges import Range
from fieldpost.errors import Usage


def override(board: Board, cell: Cell, settings: list[str]) -> tuple[Board, Cell]:
    """Lay `KEY=VALUE` and `KEY=BEST:WORST` over the figures of a board and a cell."""
    ranges = {one.name for one in fields(board) if one.type is Range and one.name != "supply_v"}
    cell_ranges = {"usable", "self_discharge"}
    numbers = {"capacity_mah", "voltage_v", "end_v"}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise Usage(f"--set {setting}: must be KEY=VALUE or KEY=BEST:WORST")
        if key in ranges:
            spread = parse_range(value, f"--set {key}")
            if key == "miss_share" and spread.worst > 1:
                raise Usage(f"--set {key}: found {value}, must be a share from 0 to 1")
            sources = board.sources | {key: "given"}
            board = replace(board, **{key: spread}, sources=sources)  # type: ignore[arg-type]
        elif key in cell_ranges:
            best, worst = parse_range(value, f"--set {key}")
            if key == "usable":
                best, worst = worst, best
                if not 0 < worst <= best <= 1:
                    raise Usage(f"--set {key}: found {value}, must be above 0, at most 1")
            elif worst >= 100:
                raise Usage(f"--set {key}: found {value}, must be less than 100 % a year")
            cell = replace(cell, **{key: Range(best, worst)})  # type: ignore[arg-type]
        elif key in numbers:
            number = parse_range(value, f"--set {key}").worst
            if not number:
                raise Usage(f"--set {key}: found {value}, must be more than 0")
            cell = replace(cell, **{key: number})  # type: ignore[arg-type]
        else:
            known = sorted(ranges | cell_ranges | numbers)
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise Usage(f"--set {key}: must be one of {', '.join(known)}{hint}")
    return board, cell


def parse_range(text: str, where: str) -> Range:
    """Return `VALUE` or `BEST:WORST` as a range, its lesser end as the best."""
    try:
        ends = [float(part) for part in text.split(":")]
    except ValueError:
        ends = []
    if len(ends) not in (1, 2) or not all(math.isfinite(end) and end >= 0 for end in ends):
        raise Usage(f"{where}: found {text!r}, must be a number or two (20:50), from 0 up")
    return Range(min(ends), max(ends))
