"""How gaps look: a table for people."""

import time

from rich import box
from rich.table import Table
from rich.text import Text

from fieldpost.query.gaps import Gap, Node
from fieldpost.terminal.console import Console

# Of one node; --json has more.
_SHOWN = 20


def print_gaps(nodes: list[Node]) -> None:
    """Each node in a line, and below it what is missing of it."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("node", overflow="fold")
    for head in ("boots", "readings", "missing", "dropped", "waiting"):
        table.add_column(head, justify="right")
    for node in nodes:
        table.add_row(
            Text(node.node),
            str(len(node.boots)),
            str(node.readings),
            Text(str(node.missing), "bold red" if node.missing else ""),
            _or_dash(node.dropped),
            _or_dash(node.waiting),
        )
    console.print(table)
    for node in nodes:
        lines = [
            f"{node.node} boot {boot.boot}: {_gap(gap)}"
            for boot in node.boots
            for gap in boot.gaps
        ]
        for line in lines[:_SHOWN]:
            console.print(Text(line), soft_wrap=False)
        if len(lines) > _SHOWN:
            console.print(Text(f"{node.node}: {len(lines) - _SHOWN} more gaps, with --json"))


def _gap(gap: Gap) -> str:
    count = gap.last - gap.first + 1
    which = (
        f"seq {gap.first}" if count == 1 else f"seq {gap.first} to {gap.last}, {count} readings"
    )
    between = [_time(one) for one in (gap.after_ts, gap.before_ts)]
    when = f", between {between[0]} and {between[1]}" if any(between) else ""
    return which + when


def _time(ts: int | None) -> str | None:
    if ts is None:
        return None
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts))
    except (OverflowError, ValueError, OSError):
        return str(ts)


def _or_dash(count: int | None) -> str:
    return "-" if count is None else str(count)
