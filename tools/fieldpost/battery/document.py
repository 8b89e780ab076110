"""The tables of docs/battery.md, made from boards.py and cells.py, and its pictures.

PYTHONPATH=tools python -m fieldpost.battery.document
"""

from dataclasses import fields
from pathlib import Path

from fieldpost.battery.boards import BOARDS, Board
from fieldpost.battery.cells import CELLS
from fieldpost.battery.ranges import Range
from fieldpost.pages import write_part
from fieldpost.paths import ROOT

DOCUMENT = ROOT / "docs" / "battery.md"
BEGIN = "<!-- Made by PYTHONPATH=tools python -m fieldpost.battery.document -->"
END = "<!-- End of what battery_document made -->"

# The options with which each picture is drawn; docs/battery.md shows the same commands.
PICTURES = {
    "greenhouse": ("esp32", "18650", "70:150"),
    "freezer": ("pico-w", "3xaa", "1200:1500"),
    "weather": ("esp32-c3", "18650", "60:115"),
}


def markdown() -> str:
    """Return the tables as they stand between BEGIN and END."""
    figures = [one.name for one in fields(Board) if one.type is Range and one.name != "supply_v"]
    lines = ["", "| figure | " + " | ".join(f"`{name}`" for name in BOARDS) + " |"]
    lines.append("|---" * (len(BOARDS) + 1) + "|")
    for figure in figures:
        spans = [_span(getattr(board, figure)) for board in BOARDS.values()]
        lines.append(f"| `{figure}` | " + " | ".join(spans) + " |")
    for name, board in BOARDS.items():
        lines += ["", f"Sources for `{name}` ({board.title}):", ""]
        grouped: dict[str, list[str]] = {}
        for figure in figures:
            grouped.setdefault(board.sources[figure], []).append(f"`{figure}`")
        lines += [f"- {', '.join(names)}: {source}" for source, names in grouped.items()]
    lines += ["", "| cell | | V, at its end | mAh | `usable` | `self_discharge`, % a year | |"]
    lines.append("|---" * 7 + "|")
    for name, cell in CELLS.items():
        cells = (
            f"`{name}`",
            cell.title,
            f"{cell.voltage_v:g}, {cell.end_v:g}",
            f"{cell.capacity_mah:g}",
            _span(cell.usable),
            _span(cell.self_discharge),
            cell.source,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def update(path: Path = DOCUMENT) -> None:
    """Put the present tables into the document, and draw its pictures beside it."""
    from fieldpost.battery.command import battery

    write_part(path, BEGIN, END, markdown())
    for name, (board, cell, sleep_ua) in PICTURES.items():
        picture = path.with_name(f"battery-{name}.png")
        example = ROOT / "examples" / name
        battery(example, board=board, cell=cell, sleep_ua=sleep_ua, plot=picture)  # type: ignore[arg-type]


def _span(spread: Range) -> str:
    low, high = sorted(spread)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


if __name__ == "__main__":
    update()
