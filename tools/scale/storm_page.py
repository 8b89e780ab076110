"""Plays the storms, and writes what they came to into docs/scale.md, with a picture."""

import argparse
import json
from pathlib import Path
from typing import Any

from fieldpost.pages import write_part
from fieldpost.paths import ROOT
from scale import storm
from scale.storm import Broker, Storm

PAGE = ROOT / "docs" / "scale.md"
RESULTS = ROOT / "docs" / "scale" / "crowd.json"
BEGIN = "<!-- begin crowd: written by python -m scale.storm_page, do not edit -->"
END = "<!-- end crowd -->"
NODES = 10_000
_DAY_MS = 86_400_000
_SERIES_S = 300
# name -> (text, how long the sessions had lasted in ms, the broker).
_SCENES: dict[str, tuple[str, int, Broker]] = {
    "restart": (
        "The broker restarts in 5 s, and takes 500 in a second",
        _DAY_MS,
        Broker(500, away_s=5),
    ),
    "silent": (
        "The same, and more are not answered at all",
        _DAY_MS,
        Broker(500, away_s=5, silent=True),
    ),
    "slow": ("It takes 100 in a second", _DAY_MS, Broker(100, away_s=5)),
    "power": ("All boot in one moment, and it takes 500", 0, Broker(500)),
}
_SAMPLE_S, _AWAY_S = 60, 120
_LOOKS = {
    "no jitter": ("#9a9a94", "-"),
    "equal jitter": ("#e08e2b", "-"),
    "full jitter": ("#3a6ea5", "-"),
    "Fieldpost": ("#d1495b", "-"),
}
_BEST = "#2a9d5c"


def measure(nodes: int = NODES) -> dict[str, Any]:
    """All storms, as JSON."""
    storm.prepare()
    scenes = []
    for name, (text, up_ms, broker) in _SCENES.items():
        best_s = broker.away_s + nodes / broker.takes_per_s
        rows = [
            _row(law, storm.always_on(law, nodes, up_ms, broker), broker) for law in storm.LAWS
        ]
        scenes.append({"scene": name, "text": text, "best_s": best_s, "rows": rows})
    broker = Broker(500, away_s=_AWAY_S)
    sleepers = [
        _row(law, storm.asleep(nodes, _SAMPLE_S, phases, broker), broker)
        for law, phases in (("one phase", False), ("a phase each", True))
    ]
    return {"nodes": nodes, "scenes": scenes, "sleepers": sleepers}


def _row(law: str, found: Storm, broker: Broker) -> dict[str, Any]:
    times = found.delivered_s
    return {
        "law": law,
        "busiest_second": max(found.arrivals),
        "dials_per_node": round(found.dials / found.nodes, 2),
        "half_s": round(times[found.nodes // 2 - 1], 1) if 2 * len(times) >= found.nodes else None,
        "last_s": round(times[-1], 1) if len(times) == found.nodes else None,
        "arrivals": found.arrivals[:_SERIES_S],
        "delivered": [_count(times, second) for second in range(0, _SERIES_S, 2)],
    }


def _count(times: list[float], until_s: float) -> int:
    return sum(one <= until_s for one in times)


def markdown(results: dict[str, Any]) -> str:
    """The tables."""
    lines = [
        "| | law | dials in the busiest second | dials of a node | half delivered after | all |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for scene in results["scenes"]:
        for row in scene["rows"]:
            lines.append(_line(scene["text"] if row is scene["rows"][0] else "", row))
        rate = scene["best_s"]
        lines.append(f"| | *the best that there can be* | | 1 | | {rate:.0f} s |")
    text = (
        f"Nodes that sleep for {_SAMPLE_S} s, and a broker that is away for the first {_AWAY_S} s"
    )
    for row in results["sleepers"]:
        lines.append(_line(text if row is results["sleepers"][0] else "", row))
    return "\n".join(lines)


def _line(text: str, row: dict[str, Any]) -> str:
    law = f"**{row['law']}**" if row["law"] in ("Fieldpost", "a phase each") else row["law"]
    half, last = (
        "more than an hour" if row[key] is None else f"{row[key]:,.0f} s"
        for key in ("half_s", "last_s")
    )
    busiest = f"{row['busiest_second']:,}"
    return f"| {text} | {law} | {busiest} | {row['dials_per_node']:.1f} | {half} | {last} |"


def draw(path: Path, results: dict[str, Any]) -> None:
    """The picture."""
    import matplotlib

    from scale.plots import STYLE

    matplotlib.use("Agg")
    with matplotlib.rc_context(STYLE):
        from matplotlib import pyplot

        figure, grid = pyplot.subplots(2, 2, figsize=(10.5, 7), layout="constrained")
        scenes = {one["scene"]: one for one in results["scenes"]}
        nodes = results["nodes"]
        _arrivals(grid[0][0], scenes["restart"]["rows"], 60)
        grid[0][0].set_title("A broker restarts: dials in a second")
        _shares(grid[0][1], scenes["restart"], nodes)
        grid[0][1].set_title("… and nodes that have delivered")
        _arrivals(grid[1][0], scenes["power"]["rows"], 60)
        grid[1][0].set_title("All boot in one moment: dials in a second")
        _sleepers(grid[1][1], results["sleepers"])
        grid[1][1].set_title(f"Nodes that sleep for {_SAMPLE_S} s: dials in a second")
        handles, labels = grid[0][1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        figure.savefig(path, dpi=110, metadata={"Software": None})
        pyplot.close(figure)


def _arrivals(axes: Any, rows: list[dict[str, Any]], until_s: int) -> None:
    for row in rows:
        colour, line = _LOOKS[row["law"]]
        series = (row["arrivals"] + [0] * until_s)[:until_s]
        width = 2.2 if row["law"] == "Fieldpost" else 1.2
        axes.step(range(until_s), series, line, where="post", color=colour, linewidth=width)
    axes.axhline(500, color=_BEST, linestyle=":", linewidth=1.5)
    axes.set(xlim=(0, until_s), ylim=(0, None), xlabel="s")
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _shares(axes: Any, scene: dict[str, Any], nodes: int) -> None:
    for row in scene["rows"]:
        colour, line = _LOOKS[row["law"]]
        shares = [100 * one / nodes for one in row["delivered"]]
        width = 2.2 if row["law"] == "Fieldpost" else 1.2
        label = row["law"] + (" from 1 s on" if row["law"] == "full jitter" else "")
        axes.plot(
            range(0, 2 * len(shares), 2), shares, line, color=colour, label=label, linewidth=width
        )
    away_s = _SCENES["restart"][2].away_s
    axes.plot(
        [away_s, scene["best_s"]],
        [0, 100],
        ":",
        color=_BEST,
        label="what the broker takes",
        linewidth=1.5,
    )
    axes.set(xlim=(0, 120), ylim=(0, 102), xlabel="s", ylabel="%")


def _sleepers(axes: Any, rows: list[dict[str, Any]]) -> None:
    for row, colour, width in zip(rows, ("#9a9a94", "#d1495b"), (1.2, 2.2), strict=True):
        axes.step(
            range(len(row["arrivals"])),
            row["arrivals"],
            where="post",
            color=colour,
            linewidth=width,
        )
    axes.axhline(500, color=_BEST, linestyle=":", linewidth=1.5)
    axes.axvspan(0, _AWAY_S, color="#555555", alpha=0.08, linewidth=0)
    axes.text(_AWAY_S / 2, 2950, "broker away", ha="center", color="#555555", fontsize=9)
    axes.text(190, 2950, "grey: one phase for all", color="#6a6a64", fontsize=9)
    axes.text(190, 2700, "red: a phase each", color="#d1495b", fontsize=9)
    axes.set(xlim=(0, _SERIES_S), ylim=(0, 3200), xlabel="s")
    axes.yaxis.set_major_formatter("{x:,.0f}")


def main() -> None:
    """Play, or with --draw only write the page anew from what was played."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="play nothing, draw what was played")
    if not parser.parse_args().draw:
        RESULTS.write_text(json.dumps(measure(), separators=(",", ":")) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    write_part(PAGE, BEGIN, END, markdown(results))
    draw(RESULTS.with_suffix(".png"), results)


if __name__ == "__main__":
    main()
