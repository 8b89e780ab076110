"""The pictures of docs/benchmarks.md."""

from pathlib import Path
from typing import Any

from benchmarks import report_phases
from benchmarks.figures import Row, straightness

# client -> colour and line. Two clients may take the same time: what lies above leaves the other
# to be seen.
_LOOKS = {
    "Fieldpost": ("#d1495b", "o-"),
    "umqtt.simple": ("#3a6ea5", "o-"),
    "umqtt.robust": ("#a9c9ea", "s--"),
    "umqtt.robust2": ("#7b5ea7", "D-"),
    "chumicro-mqtt": ("#e08e2b", "s--"),
    "mqtt_as, one by one": ("#2a9d5c", "^-"),
    "mqtt_as, gathered": ("#8fcf9f", "v-"),
}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def draw(folder: Path, results: dict[str, Any]) -> None:
    """Write a PNG for each benchmark that has one, if it was run."""
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context(STYLE):
        if results.get("wake"):
            _wake(folder / "wake.png", results["wake"])
        if results.get("scaling"):
            _scaling(folder / "scaling.png", results["scaling"])
        if results.get("recovery"):
            _recovery(folder / "recovery.png", results["recovery"])
        if results.get("phases", {}).get("wakes"):
            report_phases.draw(folder / "phases.png", results["phases"], _save)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _wake(path: Path, rows: list[Row]) -> None:
    from matplotlib import pyplot

    delays = sorted({row["round_trip_ms"] for row in rows} - {0})
    figure, all_axes = pyplot.subplots(
        1, len(delays), figsize=(10.5, 4.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, delay in zip(all_axes[0], delays, strict=True):
        for name, (colour, line) in _LOOKS.items():
            mine = [r for r in rows if r["client"] == name and r["round_trip_ms"] == delay]
            points = sorted((r["readings"], r["ms"]) for r in mine if "not_run" not in r)
            if points:
                size = 4 if line == "s--" else 6
                axes.plot(
                    *zip(*points, strict=True), line, color=colour, label=name, markersize=size
                )
        axes.axhline(2 * delay, color="#555555", linestyle=":", linewidth=1)
        axes.text(1, 1.9 * delay, "two round trips", fontsize=8, color="#555555", va="top")
        axes.set(xscale="log", yscale="log", title=f"{delay:g} ms round trip", xlabel="readings")
        counts = sorted({row["readings"] for row in rows})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
    all_axes[0][0].set_ylabel("ms from link-up to disconnected")
    ticks = (30, 100, 300, 1000, 3000, 10_000, 30_000)
    all_axes[0][0].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    _save(figure, path)


def _scaling(path: Path, rows: list[Row]) -> None:
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
    counts = [row["readings"] for row in rows]
    times = [row["ms"] for row in rows]
    spread = [
        [row["ms"] - row["ms_min"] for row in rows],
        [row["ms_max"] - row["ms"] for row in rows],
    ]
    slope, start, _ = straightness(list(zip(counts, times, strict=True)))
    along = [counts[0] * (counts[-1] / counts[0]) ** (n / 99) for n in range(100)]
    line = [start + slope * x for x in along]
    left.plot(along, line, "--", color="#555555", label=f"{slope:.3f} ms per reading")
    left.errorbar(counts, times, spread, fmt="o", color="#d1495b", capsize=3, label="measured")
    left.set(title="Time to deliver", xlabel="readings that wait on flash", ylabel="ms")
    left.set(xscale="log", yscale="log")
    left.set_xticks(counts, [f"{count:,}" for count in counts])
    left.yaxis.set_major_formatter("{x:,.0f}")
    left.minorticks_off()
    left.legend(loc="upper left")
    right.plot(counts, [row["heap"] / 1000 for row in rows], "o-", color="#3a6ea5")
    right.set(title="Heap in use at most", xlabel="readings that wait on flash", ylabel="kB")
    right.set(xscale="log", ylim=(0, 1.2 * max(row["heap"] for row in rows) / 1000))
    right.set_xticks(counts, [f"{count:,}" for count in counts])
    right.minorticks_off()
    _save(figure, path)


def _recovery(path: Path, rows: list[Row]) -> None:
    from matplotlib import pyplot

    outages = sorted({row["outage_s"] for row in rows})
    figure, all_axes = pyplot.subplots(
        1, len(outages), figsize=(10.5, 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, outage_s in zip(all_axes[0], outages, strict=True):
        for row, colour in zip(
            (row for row in rows if row["outage_s"] == outage_s),
            ("#2a9d5c", "#3a6ea5", "#d1495b"),
            strict=False,
        ):
            seconds = row["seconds"]
            shares = [100 * (n + 1) / len(seconds) for n in range(len(seconds))]
            runs = f", {row['runs']} runs" if row["runs"] > 1 else ""
            label = f"{row['nodes']} node{'s' if row['nodes'] > 1 else ''}{runs}"
            axes.step([0, *seconds], [0, *shares], where="post", color=colour, label=label)
        axes.set(title=f"After an outage of {outage_s} s", xlabel="s since the broker is back")
        axes.set_xlim(0, None)
    all_axes[0][0].set(ylabel="% of nodes with nothing left to deliver", ylim=(0, 102))
    all_axes[0][0].legend(loc="lower right")
    _save(figure, path)
