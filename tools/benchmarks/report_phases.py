"""Benchmark 7 on the page: its targets, its tables and its picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, pick
from benchmarks.tables import table
from benchmarks.wake_phases import (
    BEFORE,
    DELIVERS,
    EARLY,
    NOW,
    PHASES,
    READS,
    cpu_ms,
    to_connect,
    total,
)

_KB = 1000
_BOARDS = ("Pico W", "ESP32-C3")
_MODULES = 12
_COLOURS = (
    *("#7b5ea7", "#3a6ea5", "#a9c9ea", "#2a9d5c", "#e08e2b"),
    *("#d1495b", "#f0a6ae", "#8c564b", "#9a9a9a"),
)

Add = Callable[[str, float | None, float, str, bool], None]


def judge(found: dict[str, Any], add: Add) -> None:
    """The targets of this benchmark, each by `add` of targets.py."""
    rows = found.get("wakes", [])
    for board in _BOARDS:
        now, before = (to_connect(rows, board, code) for code in (NOW, BEFORE))
        add(
            f"processor time of a wake until CONNECT, {board}: half of the code before",
            *(now / before if now and before else None, 0.5, "{:.2f}", False),
        )
    for board in _BOARDS:
        reads, delivers = (
            cpu_ms(pick(rows, board=board, code=NOW, wake=kind)) for kind in (READS, DELIVERS)
        )
        add(
            f"processor time of a wake that only reads, {board}: a third of one that delivers",
            *(reads / delivers if reads and delivers else None, 1 / 3, "{:.2f}", False),
        )
    for figure, target, least in (
        ("heap", "heap that the whole node leaves, Pico W: not less than the code before", True),
        ("mpy", ".mpy that the default node loads: not more than the code before", False),
    ):
        sizes = found.get(figure) or {}
        now, before = sizes.get(NOW), sizes.get(BEFORE)
        if now is None or before is None:
            add(target, None, 0, "", least)
        else:
            form = f"{{:.1f}} kB, {before / _KB:.1f} before"
            add(target, now / _KB, before / _KB, form, least)


def render(found: dict[str, Any]) -> str:
    """Its tables, as Markdown."""
    rows = found["wakes"]
    text = "### 7. Where a wake's time goes\n\n"
    text += f"Images {', '.join(found.get('images', []))}. Milliseconds of the processor."
    text += f" A run by itself: {found['run']}.\n\n" if "run" in found else "\n\n"
    lines = []
    for board in _BOARDS:
        for kind in (DELIVERS, READS, EARLY):
            for code in (BEFORE, NOW):
                row = pick(rows, board=board, code=code, wake=kind)
                if row:
                    lines.append((f"{board}, {kind}, {code}", *_cells(row, kind)))
    head = ("wake", *PHASES, "until CONNECT", "in all", "radio's driver", "waited")
    text += table(head, lines)
    for board in _BOARDS:
        modules = [row for row in found["modules"] if row["board"] == board]
        if modules:
            rest = modules[_MODULES:]
            said = ", ".join(f"`{row['module']}` {row['ms']:.1f}" for row in modules[:_MODULES])
            text += (
                f"\n\nImports of a wake that delivers, {board}: {_sum(modules):.0f} ms for "
                f"{len(modules)} modules: {said}; the other {len(rest)} {_sum(rest):.1f}. "
                f"To find what waits on flash takes {found['outbox_ms'][board]:.1f} ms."
            )
    return text + "\n\n![Where a wake's time goes](benchmarks/phases.png)"


def draw(path: Path, found: dict[str, Any], save: Callable[[Any, Path], None]) -> None:
    """A bar for each wake, made of its phases."""
    from matplotlib import pyplot

    boards = [name for name in _BOARDS if any(row["board"] == name for row in found["wakes"])]
    figure, all_axes = pyplot.subplots(
        1, len(boards), figsize=(10.5, 3.8), squeeze=False, layout="constrained"
    )
    for axes, board in zip(all_axes[0], boards, strict=True):
        labels: list[str] = []
        for kind in (EARLY, READS, DELIVERS):
            for code in (NOW, BEFORE):
                row = pick(found["wakes"], board=board, code=code, wake=kind)
                if not row:
                    continue
                left = 0.0
                for phase, colour in zip(PHASES, _COLOURS, strict=True):
                    width = row["phases"].get(phase, {"cpu_ms": 0.0})["cpu_ms"]
                    label = phase if kind == DELIVERS and code == NOW else None
                    axes.barh(len(labels), width, left=left, color=colour, label=label)
                    left += width
                axes.text(left, len(labels), f" {left:.0f}", va="center", fontsize=8)
                labels.append(f"{kind}, {code}")
        axes.set_yticks(range(len(labels)), labels)
        axes.set(title=board, xlabel="ms of the processor")
        axes.margins(x=0.1)
        axes.grid(axis="y", visible=False)
    handles, names = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5)
    save(figure, path)


def _cells(row: Row, kind: str) -> list[str]:
    phases = row["phases"]
    cells = [f"{phases[name]['cpu_ms']:.0f}" if name in phases else "" for name in PHASES]
    until = to_connect([row], row["board"], row["code"]) if kind == DELIVERS else None
    cells.append("" if until is None else f"{until:.0f}")
    cells.append(f"{total(row, 'cpu_ms'):.0f}")
    return [*cells, f"{total(row, 'radio_ms'):.0f}", f"{total(row, 'waited_ms'):.0f}"]


def _sum(rows: Sequence[Row]) -> float:
    return sum(row["ms"] for row in rows)
