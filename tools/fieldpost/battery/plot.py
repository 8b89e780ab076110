"""The pictures of `fieldpost battery --plot`: a wake over time, and life over the interval."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpost.battery.cells import Cell
from fieldpost.battery.model import Node, Phase, charge_mc, days, delivering_wake, sampling_wake
from fieldpost.errors import MissingTool, NotWritten, Usage
from fieldpost.terminal.advice import install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg")
_COLOURS = {
    "boot": "#7f7f7f",
    "sample": "#2a9d5c",
    "radio start": "#c9a227",
    "join": "#d1495b",
    "connect": "#3a6ea5",
    "deliver": "#6a4c93",
    "listen": "#e0a458",
}
_INTERVALS_S = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
_TICKS_S = {
    10: "10 s",
    60: "1 min",
    300: "5 min",
    900: "15 min",
    3600: "1 h",
    14400: "4 h",
    86400: "1 day",
}
_TICKS_DAYS = {
    1: "1 day",
    3: "3 days",
    7: "1 week",
    14: "2 weeks",
    30: "1 month",
    91: "3 months",
    182: "6 months",
    365: "1 year",
    730: "2 years",
    1826: "5 years",
    3652: "10 years",
}
_BATCH = 12


def check_plot(path: Path) -> None:
    """Raise CommandError unless a picture can be drawn there."""
    if path.suffix.lower() not in SUFFIXES:
        raise Usage(f"--plot {path}: must end in .png or .svg")
    if not path.parent.is_dir():
        raise NotWritten(f"--plot {path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingTool(
            f"--plot needs matplotlib: `{install_command('matplotlib')}`, or leave the option out"
        ) from None


def draw(path: Path, node: Node, cell: Cell, temperature_c: float, name: str) -> None:
    """Write both pictures into one file, PNG or SVG by its suffix."""
    import matplotlib

    matplotlib.use("Agg")
    # The same input makes the same bytes, so that a picture in docs/ changes with the model alone.
    matplotlib.rcParams["svg.hashsalt"] = "fieldpost"
    from matplotlib import pyplot

    style: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
    }
    # A node that is always on is drawn as it would be in its duty cycle.
    duty = replace(node, duty_cycle=True)
    with pyplot.rc_context(style):
        figure, (wake, life) = pyplot.subplots(
            2, 1, figsize=(9, 9.5), layout="constrained", height_ratios=(1, 1.25)
        )
        figure.get_layout_engine().set(h_pad=0.12)  # type: ignore[union-attr]
        _draw_wake(wake, duty, name)
        _draw_life(life, duty, cell, temperature_c, days(node, cell, "middle", temperature_c))
        metadata: dict[str, Any] = {"Date": None} if path.suffix.lower() == ".svg" else {}
        try:
            figure.savefig(path, dpi=130, metadata=metadata)
        except OSError as error:
            raise NotWritten(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None
        finally:
            pyplot.close(figure)


def _draw_wake(axes: "Axes", node: Node, name: str) -> None:
    """Steps of current, one colour for each phase, with its charge written into it."""
    phases = delivering_wake(node, "middle")
    total_ms = sum(phase.ms for phase in phases)
    margin_ms = total_ms * 0.06
    peak_ma = max(phase.ma for phase in phases)
    edges, currents = [-margin_ms, 0.0], [node.board.sleep_ua.at("middle") / 1000]
    for phase in phases:
        start, end = edges[-1], edges[-1] + phase.ms
        text = f"{phase.name} {phase.mc:.3g} mC"
        is_wide = phase.ms > total_ms * 0.11
        axes.fill_between(
            [start, end],
            0,
            phase.ma,
            color=_COLOURS[phase.name],
            alpha=0.75,
            linewidth=0,
            # What is too narrow to be written into is named in the legend.
            label=None if is_wide else text,
        )
        if is_wide:
            text = text.replace(f"{phase.name} ", f"{phase.name}\n")
            axes.text((start + end) / 2, phase.ma / 2, text, ha="center", va="center")
        edges.append(end)
        currents.append(phase.ma)
    edges.append(total_ms + margin_ms)
    currents.append(currents[0])
    axes.stairs(currents, edges, color="black", linewidth=1.2, baseline=None)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", ncols=3, frameon=False, handlelength=1.2)
    axes.set_ylim(0, peak_ma * 1.25)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("time since the wake, ms")
    axes.set_ylabel("current, mA")
    title = f"{name}: a wake that delivers takes {_mc(phases)} mC in {total_ms:.0f} ms"
    if node.deliver_every > 1:
        others = _mc(sampling_wake(node, "middle"))
        title += f"\n(each of the {node.deliver_every - 1} between deliveries {others} mC)"
    axes.set_title(f"{title}\n", fontsize=10.5)
    axes.text(
        0,
        1.01,
        f"{node.board.title}, middle case",
        transform=axes.transAxes,
        color="#555555",
        va="bottom",
    )


def _mc(phases: list[Phase]) -> str:
    return f"{charge_mc(phases):.3g}"


def _draw_life(
    axes: "Axes", node: Node, cell: Cell, temperature_c: float, here_days: float
) -> None:
    """Days over the sampling interval, for each way to join, and for batches."""
    from matplotlib.ticker import FixedLocator, NullLocator

    # A measured join is the fast one; what a scan would have taken, only the board's figures say.
    rejoin = replace(node, has_static_address=False, join="rejoin")
    scan = replace(rejoin, join="scan", measured_join_ms=None)
    curves = [
        (replace(scan, deliver_every=1), "scan and DHCP, each reading", "#d1495b"),
        (replace(rejoin, deliver_every=1), "fast rejoin, each reading", "#3a6ea5"),
        (replace(rejoin, deliver_every=_BATCH), f"fast rejoin, {_BATCH} at a time", "#2a9d5c"),
    ]
    highest, lowest = 0.0, float("inf")
    for curve, label, colour in curves:
        lives = {
            case: [
                days(replace(curve, sample_s=s), cell, case, temperature_c) for s in _INTERVALS_S
            ]
            for case in ("low", "middle", "high")
        }
        axes.fill_between(_INTERVALS_S, lives["low"], lives["high"], color=colour, alpha=0.1)
        axes.plot(_INTERVALS_S, lives["middle"], color=colour, linewidth=2, label=label)
        highest = max(highest, *lives["high"])
        lowest = min(lowest, *lives["low"])
    axes.plot([node.sample_s], [here_days], "o", color="black", zorder=5, label="as configured")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(lowest, here_days) * 0.8, max(highest, here_days) * 1.25)
    axes.set_xlim(_INTERVALS_S[0], _INTERVALS_S[-1])
    for axis, ticks in ((axes.xaxis, _TICKS_S), (axes.yaxis, _TICKS_DAYS)):
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_ticklabels(list(ticks.values()))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_xlabel("time from one reading to the next")
    axes.set_ylabel("life")
    asleep = node.board.sleep_ua
    span = f"{asleep.best:g} uA" if asleep.is_known else f"{asleep.best:g} to {asleep.worst:g} uA"
    axes.set_title(f"Life on {cell.title} at {temperature_c:g} degC\n", fontsize=10.5)
    axes.text(
        0,
        1.01,
        f"line: middle case; shade: from the low to the high one. The board sleeps at {span}",
        transform=axes.transAxes,
        color="#555555",
        va="bottom",
    )
    axes.legend(loc="lower right", frameon=True, framealpha=0.9)
