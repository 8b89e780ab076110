"""The pictures of docs/scale.md."""

from pathlib import Path
from typing import Any

import benchmarks.plots
from scale.faults import FAULTS

STYLE: Any = {
    **benchmarks.plots.STYLE,
    # A ground of its own, so that it can be read on a dark page, too.
    "figure.facecolor": "#fbfbf9",
    "axes.facecolor": "#fbfbf9",
}
_DIALS, _REACHED, _STORED = "#d1495b", "#3a6ea5", "#2a9d5c"
_NODES, _BROKERS = "#e08e2b", "#3a6ea5"
_AWAY = "#555555"


def draw(folder: Path, results: dict[str, Any]) -> None:
    """Write the PNGs, of what was run."""
    import matplotlib

    matplotlib.use("Agg")
    ran = [one for one in results["clusters"] if one.get("faults")]
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        storms = [
            (one["title"], fault)
            for one in ran
            for fault in one["faults"]
            if fault["fault"] == "storm"
        ]
        if storms:
            _storm(folder / "storm.png", storms)
        if ran:
            _faults(folder / "faults.png", ran)


def _storm(path: Path, storms: list[tuple[str, dict[str, Any]]]) -> None:
    """A row of two for each cluster: connections in a second, and readings that wait."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(
        len(storms),
        2,
        figsize=(10.5, 0.8 + 2.5 * len(storms)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for (title, fault), (left, right) in zip(storms, grid, strict=True):
        series, away_s = fault["series"], fault["away_s"]
        second = series["second"]
        left.step(second, series["dials"], where="post", color=_DIALS, label="nodes dial")
        left.step(second, series["reached"], where="post", color=_REACHED, label="brokers take")
        left.set(title=f"{title}, {fault['nodes']:,} nodes", ylabel="connections/s")
        _waiting(right, series)
        right.set(ylabel="readings that wait")
        for axes in (left, right):
            axes.axvspan(0, away_s, color=_AWAY, alpha=0.12, linewidth=0)
            axes.set_ylim(0, None)
            axes.yaxis.set_major_formatter("{x:,.0f}")
    grid[0][0].legend(loc="upper right")
    grid[0][1].legend(loc="upper right")
    for axes in grid[-1]:
        axes.set_xlabel("s since the brokers were ended; grey: until all run again")
    _save(figure, path)


def _faults(path: Path, ran: list[dict[str, Any]]) -> None:
    """Where readings wait: a column for each cluster, its largest fleet; a row for each fault."""
    from matplotlib import pyplot

    titles = {
        fault["fault"]: fault["title"]
        for one in ran
        for fault in one["faults"]
        if fault["fault"] != "storm"
    }
    order = [fault.name for fault in FAULTS if fault.name in titles]
    figure, grid = pyplot.subplots(
        len(order),
        len(ran),
        figsize=(1.2 + 3.5 * len(ran), 1.2 + 1.5 * len(order)),
        squeeze=False,
        layout="constrained",
    )
    for column, one in enumerate(ran):
        faults = {fault["fault"]: fault for fault in one["faults"]}
        for row, name in enumerate(order):
            axes = grid[row][column]
            fault = faults.get(name)
            if fault is None:
                axes.set_axis_off()
                axes.text(0, 0.5, "not tried here", color=_AWAY, fontsize=9)
            else:
                _waiting(axes, fault["series"])
                if name != "steady":
                    axes.axvspan(0, fault["away_s"], color=_AWAY, alpha=0.12, linewidth=0)
                # A handful that is just under way is no backlog.
                axes.set_ylim(0, max(axes.get_ylim()[1], 100))
                axes.yaxis.set_major_formatter("{x:,.0f}")
                axes.text(
                    0.98,
                    0.9,
                    f"{fault['lost']} lost, {fault['twice']} twice",
                    transform=axes.transAxes,
                    ha="right",
                    va="top",
                    fontsize=8,
                    color=_AWAY,
                )
            title = titles[name] if column == 0 else ""
            if row == 0:
                title = f"{one['title']}\n\n{title}"
            axes.set_title(title, fontsize=9)
        grid[-1][column].set_xlabel("s since it began; grey: until all ran again", fontsize=9)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    _save(figure, path)


def _waiting(axes: Any, series: dict[str, list[int]]) -> None:
    axes.stackplot(
        series["second"],
        series["at_nodes"],
        series["in_brokers"],
        colors=(_NODES, _BROKERS),
        alpha=0.8,
        labels=("readings wait at nodes", "readings wait in brokers"),
    )


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
