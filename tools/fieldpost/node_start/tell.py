"""How a node has started, in words and as JSON."""

import re
import sys
from typing import Any

import typer

from fieldpost.errors import NotMeasuring
from fieldpost.node_start.watch import READY, Start
from fieldpost.terminal.safe_text import neutral, to_json
from fieldpost.terminal.wrapping import fit

# How a node names the mistake in a driver: firmware/readings/failure.py.
_PLACE = re.compile(r"\.py, line \d+\)")


def say(text: str) -> None:
    """A sentence on standard output."""
    typer.echo(fit(neutral(text), sys.stdout))


def show(node: Start, ready_s: float, is_written: bool = True) -> None:
    """Print how it went. Raises CommandError if the node does not measure with all its sensors."""
    if node.set_up:
        raise NotMeasuring(f"written, but the node takes itself for new:{node.set_up}")
    if not node.ready:
        for line in node.lines:
            typer.echo("    " + line)
        raise NotMeasuring(f"written, but the node {node.why} within {ready_s:g} s")
    say(
        ("written" if is_written else "restarted")
        + "; the node is "
        + node.ready[node.ready.index(READY) :]
    )
    if node.reading is None:
        for line in node.lines:
            typer.echo("    " + line)
        raise NotMeasuring("no reading came within a minute: the lines above are the node's last")
    reading(node)
    say(
        "it was delivered to the broker"
        if node.is_delivered
        else f"it waits on the node: {no_broker(node)}; `fieldpost monitor` shows more"
    )


def reading(node: Start) -> None:
    """Print its first reading. Raises CommandError if there is none, or not of all sensors."""
    if node.reading is None:
        raise NotMeasuring("no reading of it came: `fieldpost monitor` shows what does")
    say(f"first reading: {values(node)}")
    for line in _why(node):
        say(f"  {line}")
    if failed := _failed(node):
        raise NotMeasuring(f"no values from {', '.join(failed)}: look at its wiring and its pins")


def no_broker(node: Start) -> str:
    """Of a node whose reading waits: that no broker has taken it, and the node's own reason."""
    why = f" ({neutral(node.held_up)})" if node.held_up else ""
    return f"no broker has taken it yet{why}"


def values(node: Start) -> str:
    """The fields of its first reading with their values, without what failed."""
    told = (node.reading or {}).items()
    fields = [f"{name} {_value(one)}" for name, one in told if name != "failed"]
    return ", ".join(fields) or "no field at all"


def lacks(node: Start, port: str) -> list[str]:
    """What a node that is ready does not measure, each with its error and the next step."""
    if node.reading is None:
        return [f"no reading came in time: `fieldpost monitor --port {port}` shows why"]
    failed = _failed(node)
    if not failed:
        return []
    said = "; ".join(dict.fromkeys(_why(node)))
    to_do = (
        "look at what stands at that line"
        if _PLACE.search(said)
        else f"look at its wiring and its pins; `fieldpost scan --port {port}` says what answers"
    )
    return [f"no values from {', '.join(failed)}{f' ({said})' if said else ''}: {to_do}"]


def _why(node: Start) -> list[str]:
    """What it has said of each sensor that failed."""
    beginnings = [f"sensor {name}: " for name in _failed(node)]
    return [
        line.partition(" ")[2].strip()
        for line in node.lines
        if any(beginning in line for beginning in beginnings)
    ]


def measures(node: Start | None) -> bool:
    """Whether all its sensors gave their values."""
    return node is not None and node.reading is not None and not _failed(node)


def _failed(node: Start) -> list[str]:
    failed = (node.reading or {}).get("failed")
    return [str(name) for name in failed] if isinstance(failed, list) else []


def _value(value: Any) -> str:
    return neutral(value) if isinstance(value, str) else to_json(value)


def as_json(node: Start | None) -> dict[str, Any]:
    """The same for a script; None: it was not started."""
    if node is None:
        return {"ready": None, "reading": None, "delivered": False, "console": []}
    return {
        "ready": node.ready,
        "reading": node.reading,
        "delivered": node.is_delivered,
        "console": node.lines,
    }
