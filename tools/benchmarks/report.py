"""docs/benchmarks.md, between its two markers, from the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    namespaces,
    report_footprint,
    report_phases,
    report_tls,
    throughput,
    wake,
)
from benchmarks.figures import Row, pick, straightness
from benchmarks.tables import ms, table
from fieldpost.pages import write_part

BEGIN = "<!-- measured: written by make bench, do not edit -->"
END = "<!-- end of measured -->"


def write(path: Path, results: dict[str, Any]) -> None:
    """Put the tables between the markers of the page, which must be there."""
    write_part(path, BEGIN, END, f"\n{render(results)}")


def render(results: dict[str, Any]) -> str:
    """The tables as Markdown."""
    parts = [_versions(results), _targets(results["targets"])]
    if results.get("wake"):
        parts.append(_wake(results["wake"]))
    if results.get("namespaces"):
        parts.append(_namespaces(results["namespaces"], results.get("apart", ())))
    if results.get("tls"):
        parts.append(report_tls.render(results["tls"]))
    if results.get("throughput"):
        parts.append(_throughput(results))
    for number, part in (("3", "footprint"), ("3b", "footprint_c3")):
        if results.get(part):
            parts.append(report_footprint.render(number, results[part]))
    if results.get("scaling"):
        parts.append(_scaling(results["scaling"]))
    if results.get("recovery"):
        parts.append(_recovery(results["recovery"]))
    if results.get("deployment"):
        parts.append(_deployment(results["deployment"]))
    if results.get("phases", {}).get("wakes"):
        parts.append(report_phases.render(results["phases"]))
    for name, why in results["not_run"].items():
        parts.append(f"Not run: {name}: {why}.")
    return "\n\n".join(parts) + "\n"


def _versions(results: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    quick = " A quick run: once each, the short cases only." if results["quick"] else ""
    return f"Run of {results['date']}, in one go on one machine: {said}.{quick}"


def _targets(rows: list[Row]) -> str:
    words = {True: "met", False: "**missed**", None: "not run"}
    lines = [(row["target"], row["measured"], words[row["met"]]) for row in rows]
    return "### Targets\n\n" + table(("target", "measured", ""), lines)


def _wake(rows: list[Row]) -> str:
    delays = sorted({row["round_trip_ms"] for row in rows})
    counts = sorted({row["readings"] for row in rows})
    lines = []
    for count in counts:
        for name in wake.CLIENTS:
            same = {"client": name, "readings": count}
            cells = [ms(pick(rows, round_trip_ms=delay, **same)) for delay in delays]
            lines.append((name, count, *cells))
    head = ("client", "readings", *(f"{delay:g} ms" for delay in delays))
    text = "### 1. Wake to delivered\n\nMilliseconds, by round trip time.\n\n" + table(head, lines)
    at = 50 if 50 in delays else delays[-1]
    lines = []
    for count in counts:
        for name in wake.CLIENTS:
            row = pick(rows, client=name, readings=count, round_trip_ms=at)
            if row:
                spread = f"{row['ms_min']:,.0f} to {row['ms_max']:,.0f}"
                names = ("round_trips", "segments", "sent_bytes", "received_bytes")
                figures = [f"{row[figure]:,.0f}" for figure in names]
                trips = f"{row['ms'] / at:.2f}"
                lines.append((name, count, *figures, trips, spread, row["runs"]))
    head = ("client", "readings", "round trips", "segments", "bytes sent", "received")
    head += ("ms / round trip", "least to most ms", "runs")
    text += f"\n\nAt {at:g} ms:\n\n" + table(head, lines)
    left_out = [
        f"{row['client']}, {row['readings']} readings at {row['round_trip_ms']:g} ms "
        f"({row['not_run']})"
        for row in rows
        if "not_run" in row
    ]
    if left_out:
        text += "\n\nNot run: " + "; ".join(left_out) + "."
    return text + "\n\n![Wake to delivered](benchmarks/wake.png)"


def _namespaces(rows: list[Row], apart: Sequence[str]) -> str:
    counts = sorted({row["readings"] for row in rows if "readings" in row})
    lines = []
    for no_delay in (False, True):
        for name in namespaces.VARIANTS:
            same = {"client": name, "broker_no_delay": no_delay}
            cells = [ms(pick(rows, readings=count, **same)) for count in counts]
            cells.append(ms(pick([row for row in rows if "burst" in row], **same)))
            lines.append((name, "true" if no_delay else "false, the default", *cells))
    head = (
        "client",
        "set_tcp_nodelay",
        *(f"{count} reading{'s' * (count > 1)}" for count in counts),
    )
    when = " Measured in a run of its own." if "namespaces" in apart else ""
    return (
        "### 1b. The same over real TCP all the way\n\n"
        f"Milliseconds at {namespaces.ROUND_TRIP_MS} ms; the last column is a burst of 50 "
        f"readings on a connection that is open already.{when}\n\n"
        + table((*head, "burst"), lines)
    )


def _throughput(results: dict[str, Any]) -> str:
    rows = results["throughput"]
    lines = []
    for name in throughput.CLIENTS:
        cells: list[str] = []
        for qos in (1, 0):
            row = pick(rows, client=name, qos=qos)
            if row:
                heap = f"{row['heap']:,.0f}"
                if row.get("heap_with_outbox", row["heap"]) != row["heap"]:
                    heap += f" ({row['heap_with_outbox']:,.0f})"
                cells += [f"{row['per_s']:,.0f}", heap]
            else:
                cells += ["not run", ""]
        lines.append((name, *cells))
    head = ("client", "QoS 1 per second", "bytes of heap each")
    head += ("QoS 0 per second", "bytes of heap each")
    text = "### 2. Throughput and heap per publish\n\n" + table(head, lines)
    text += (
        "\n\nIn brackets: from the outbox to its acknowledgement, with the payload made of the "
        "record. Bytes are those of a 64-bit machine, twice a board's."
    )
    if results.get("bursts"):
        said = "; ".join(
            f"{row['client']} {row['ms']:.1f} ms, at worst {row['ms_max']:.1f} ms"
            for row in results["bursts"]
        )
        text += f" A burst of 50 readings on a quiet connection, on loopback: {said}."
    return text


def _scaling(rows: list[Row]) -> str:
    lines = [
        (
            f"{row['readings']:,}",
            f"{row['ms']:,.1f}",
            f"{row['ms_min']:,.1f} to {row['ms_max']:,.1f}",
            f"{row['ms_per_reading']:.3f}",
            f"{row['recover_ms']:.1f}",
            f"{row['heap']:,.0f}",
        )
        for row in rows
    ]
    head = ("readings", "ms to deliver", "least to most", "ms each", "ms to find them")
    slope, _, squared = straightness([(row["readings"], row["ms"]) for row in rows])
    return (
        "### 4. Scaling\n\n"
        + table((*head, "heap in use at most, bytes"), lines)
        + f"\n\nThe line through them rises {slope:.3f} ms per reading, R² = {squared:.4f}."
        + "\n\n![Scaling](benchmarks/scaling.png)"
    )


def _recovery(rows: list[Row]) -> str:
    lines = [
        (
            row["nodes"],
            row["outage_s"],
            row["waiting"],
            row["median_s"],
            row["p90_s"],
            row["last_s"],
            row["busiest_second"],
            row["runs"],
        )
        for row in rows
    ]
    head = ("nodes", "outage, s", "readings waiting", "median, s", "90 %, s", "last, s")
    return (
        "### 5. Recovery\n\n"
        + table((*head, "most connections in a second", "runs"), lines)
        + "\n\n![Recovery](benchmarks/recovery.png)"
    )


def _deployment(rows: list[Row]) -> str:
    lines = [
        (row["way"], f"{row['s']:.1f}", f"{row['s_min']:.1f} to {row['s_max']:.1f}", row["runs"])
        for row in rows
    ]
    head = ("command", "seconds", "least to most", "runs")
    return (
        f"### 6. Deployment\n\n{rows[0]['files']} files, {rows[0]['bytes']:,} bytes.\n\n"
        + table(head, lines)
    )
