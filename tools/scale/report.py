"""docs/scale.md, between its marks, from the results."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brokers.report import table
from fieldpost.pages import write_part
from scale import figures, predicted
from scale.faults import FAULTS

BEGIN = "<!-- measured: written by make scale, do not edit -->"
END = "<!-- end of measured -->"
_FLEETS = (1000, 10_000, 100_000)
_PARTS = ("nodes", "proxy", "brokers", "collectors", "store")
# One number on a line would make thousands of lines.
_NUMBERS = re.compile(r"\[\s+(-?\d+(?:,\s+-?\d+)*)\s+\]")


def read(path: Path) -> dict[str, Any]:
    """Results of runs; none where there is no file."""
    return json.loads(path.read_text()) if path.exists() else {"clusters": []}


def save(path: Path, results: dict[str, Any]) -> None:
    """As JSON, a series on a line."""
    text = json.dumps(results, indent=1)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def joined(old: dict[str, Any], new: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The new results, with the old ones of clusters, faults and fleets not tried again.

    names: of all clusters, in the order of the page.
    """
    rows = {row["name"]: row for row in old["clusters"]}
    order = [fault.name for fault in FAULTS]
    for row in new["clusters"]:
        before = rows.get(row["name"], {})
        if not row.get("faults") and before.get("faults"):
            continue
        both = [*before.get("faults", []), *row.get("faults", [])]
        latest = {(order.index(one["fault"]), one["nodes"]): one for one in both}
        rows[row["name"]] = row | {"faults": [latest[key] for key in sorted(latest)]}
    return {"clusters": [rows[name] for name in names if name in rows]}


def write(page: Path, results: dict[str, Any]) -> None:
    """Put the tables between the marks of the page, which must be there."""
    write_part(page, BEGIN, END, f"\n{render(results)}")


def render(results: dict[str, Any]) -> str:
    """The tables as Markdown."""
    ran = [one for one in results["clusters"] if one.get("faults")]
    parts = [_head(ran), *map(_cluster, ran), _loads(ran), _sizes(ran)]
    if ran:
        parts.insert(1, _pictures())
    parts += [
        f"Not run: {one['title']}: {one['not_run']}."
        for one in results["clusters"]
        if "not_run" in one and not one["faults"]
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(ran: list[dict[str, Any]]) -> str:
    rows = [fault for one in ran for fault in one["faults"]]
    if not rows:
        return "Nothing was measured yet."
    kept = sum(map(figures.is_kept, rows))
    total = sum(row["acknowledged"] for row in rows)
    lost, twice = sum(row["lost"] for row in rows), sum(row["twice"] for row in rows)
    dates = sorted({one["run"] for one in ran})
    return (
        f"{len(rows)} runs, {_count(total)} readings that a broker had acknowledged to its node: "
        f"**{lost} lost, {twice} twice in the store**; {kept} of {len(rows)} runs without any "
        f"remark. Measured {'; '.join(dates)}, on one machine with two cores, on which brokers, "
        f"store, collectors and nodes share the time.{_busy(rows)}"
    )


def _busy(rows: list[dict[str, Any]]) -> str:
    found = [row["load_average"] for row in rows if "load_average" in row]
    if not found:
        return ""
    return f" Other work ran, too: {min(found):g} to {max(found):g} processes wanted a core."


def _pictures() -> str:
    return (
        "![Connections in a second when all brokers restart](scale/storm.png)\n\n"
        "![Where readings wait during each fault](scale/faults.png)"
    )


def _cluster(one: dict[str, Any]) -> str:
    versions = ", ".join(one["versions"].values())
    rows = [_fault(row) for row in one["faults"]]
    head = ("fault", "nodes", "acknowledged", "lost", "twice", "delivered after")
    head += (
        "store paused",
        "sent again",
        "came again",
        "lost connection",
        "dials/s",
        "at brokers/s",
    )
    text = f"### {one['title']}\n\n{versions}.\n\n" + table(head, rows)
    text += "".join(
        f"\n\nAfter “{row['title']}”: {count} of {_count(row['nodes'])} nodes then do "
        f"without `{topic}` for a while, as their broker had closed on it three times."
        for row in one["faults"]
        for topic, count in row["left_out"].items()
    )
    text += "".join(map(_against, one["faults"]))
    if one["told"]:
        text += "\n\nWhat it does not promise:\n\n"
        text += "\n".join(f"- {sentence}" for sentence in one["told"])
    return text


def _fault(row: dict[str, Any]) -> tuple[str, ...]:
    after = f"{row['delivered_s']:.0f} s" if row["late"] else "at once"
    return (
        row["title"],
        _count(row["nodes"]),
        _count(row["acknowledged"]),
        str(row["lost"]),
        str(row["twice"]),
        after,
        f"{row['pause_s']:.0f} s",
        _count(row["sent_again"]),
        _count(row["came_again"]),
        _count(row["reconnects"]),
        _count(row["dials_per_s"]),
        _count(row["reached_per_s"]),
    )


def _against(row: dict[str, Any]) -> str:
    """What was measured of a storm, and what the back-off predicts."""
    expected = row.get("predicted")
    if not expected:
        return ""
    series = row["series"]
    lost_s, back_s = predicted.outage(series)
    taken = max(
        count
        for second, count in zip(series["second"], series["reached"], strict=True)
        if second >= back_s
    )
    return (
        f"\n\nAfter “{row['title']}”, {back_s - lost_s} s without a broker for nodes: "
        f"{_count(row['dials'])} dials in all, {_count(taken)} connections at the brokers in the "
        f"busiest second after it, the last node back after {row['back_s']:.0f} s. The back-off "
        f"alone, simulated with so many nodes and the same outage: {_count(expected['dials'])} "
        f"dials, {_count(expected['dials_per_s'])} in the busiest second, the last node back "
        f"after {expected['back_s']:.0f} s."
    )


def _loads(ran: list[dict[str, Any]]) -> str:
    """What a reading, and a node, take of each part."""
    rows = []
    for one in ran:
        for fault in one["faults"]:
            load = fault.get("load")
            if load:
                cpu, memory = load["cpu_ms"], load["memory_mb"]
                taken = [
                    f"{cpu[n]:.1f} ms, {memory[n]} MB" if n in cpu else "not told apart"
                    for n in _PARTS
                ]
                sides = [
                    f"{load['bytes'][n]}" if n in load["bytes"] else "not told apart"
                    for n in ("clients", "peers")
                ]
                size = f"{load['kb_per_connection']} kB"
                fleet = f"{one['title']}, {_count(fault['nodes'])} nodes"
                rows.append((fleet, *taken, size, *sides, str(load["disk_bytes"])))
    if not rows:
        return ""
    head = ("cluster", *_PARTS, "a connection, at brokers")
    head += ("bytes to brokers", "bytes between them", "bytes on disk")
    text = (
        "### What a reading takes\n\nUnder steady load: processor time for each reading, and the "
        "memory of all processes of a part; bytes for each reading.\n\n"
    )
    return text + table(head, rows)


def _sizes(ran: list[dict[str, Any]]) -> str:
    """The same of each cluster's largest fleet, multiplied: arithmetic."""
    largest = {
        one["title"]: fault["load"]
        for one in ran
        for fault in one["faults"]
        if "brokers" in fault.get("load", {}).get("cpu_ms", {})
    }
    loads = list(largest.items())
    if not loads:
        return ""
    rows = []
    for nodes in _FLEETS:
        rate = nodes / 60
        for title, load in loads:
            cores = {name: rate * ms / 1000 for name, ms in load["cpu_ms"].items()}
            rows.append(
                (
                    _count(nodes),
                    title,
                    _short(rate),
                    _short(rate * load["bytes"]["clients"] * 8 / 1e6),
                    _short(cores["brokers"]),
                    _short(cores["collectors"] + cores["store"]),
                    _short(nodes * load["kb_per_connection"] / 1e6),
                    _short(rate * 86_400 * load["disk_bytes"] / 1e9),
                )
            )
    head = ("nodes, a reading a minute", "cluster", "readings/s", "Mbit/s to brokers")
    head += ("cores, all brokers", "cores, collectors and store", "GB, connections at brokers")
    head += ("GB on disk in a day",)
    text = (
        "### What a fleet takes, computed\n\nThe table above, multiplied: not measured. What a "
        "program takes for being there is in it, so processors come out too high; and nobody has "
        "tried it here beyond some thousand nodes for each broker.\n\n"
    )
    return text + table(head, rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else "below 0.1"


def _count(number: int) -> str:
    return f"{number:,}"
