"""How a node has started, in words and as JSON."""

import sys
from typing import Any

import typer

from fieldpost.errors import NotMeasuring
from fieldpost.node_start.watch import READY, Start
from fieldpost.terminal import neutral, to_json
from fieldpost.wrapping import fit


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
        else "it waits on the node: no broker has taken it yet; `fieldpost monitor` shows why"
    )


def reading(node: Start) -> None:
    """Print its first reading. Raises CommandError if there is none, or not of all sensors."""
    if node.reading is None:
        raise NotMeasuring("no reading of it came: `fieldpost monitor` shows what does")
    fields = [f"{name} {_value(one)}" for name, one in node.reading.items() if name != "failed"]
    say("first reading: " + (", ".join(fields) or "no field at all"))
    for line in node.lines:
        if any(f"sensor {name}: " in line for name in _failed(node)):
            say(f"  {line.partition(' ')[2].strip()}")
    if failed := _failed(node):
        raise NotMeasuring(f"no values from {', '.join(failed)}: look at its wiring and its pins")


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
