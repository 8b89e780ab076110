"""How a rollout looks: a table that lives in a terminal, a line for each change elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol, Self

from rich import box
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fieldpost.terminal.console import Console, longest_word
from fieldpost.terminal.safe_text import neutral
from fieldpost.terminal.wrapping import fit
from fieldpost.update.node import GOOD, TRIED, UNDER_WAY, Node

_STYLES = {
    **dict.fromkeys(GOOD, "green"),
    **dict.fromkeys(TRIED, "bold red"),
    **dict.fromkeys(UNDER_WAY, "cyan"),
}
_PERCENT_STEP = 25
_BAR = 20
# What is longer is cut where its column ends.
_WORD_MAX = 20
_REFRESH_PER_S = 4


class Screen(Protocol):
    """What somebody sees of it."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def refresh(self) -> None:
        """Some time has passed."""


def screen(nodes: Sequence[Node], *, is_silent: bool) -> Screen:
    """The one that suits: none for a script, a live table for a terminal, else lines."""
    if is_silent:
        return _Silent()
    return _LiveTable(nodes) if Console().is_terminal else _Lines(nodes)


def table(nodes: Sequence[Node]) -> Table:
    """Of each node: its state, how far it is, and what it runs."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, texts in (
        ("Node", [one.name for one in nodes]),
        ("", [_state(one) for one in nodes]),
        ("Runs", [_runs(one) for one in nodes]),
        ("", []),
    ):
        least = min(longest_word([heading, *texts]), _WORD_MAX)
        found.add_column(heading, overflow="fold", min_width=least)
    for one in nodes:
        found.add_row(
            Text(one.name),
            Text(_state(one), _STYLES.get(one.state, "")),
            Text(neutral(_runs(one))),
            _bar(one) or Text(neutral(words(one))),
        )
    return found


def words(node: Node) -> str:
    """What there is to say of it beside its state."""
    parts = [node.text] if node.text else []
    if node.state in ("waiting", *UNDER_WAY) and (due := due_text(node)):
        parts.append(due)
    return "; ".join(parts)


def due_text(node: Node) -> str:
    """When a sleeper wakes."""
    due_in_s = node.due_in_s(time.monotonic())
    if due_in_s is None:
        return "asleep" if node.is_asleep else ""
    if due_in_s < 0:
        return "asleep, due now"
    at = time.strftime("%H:%M", time.localtime(time.time() + due_in_s))
    return f"asleep, due at {at}, in {_duration(due_in_s)}"


def percent(node: Node) -> int | None:
    """Of what it is to fetch."""
    if node.state in GOOD or node.state == "trial":
        return 100
    if node.artefact is None or node.state not in UNDER_WAY:
        return None
    return node.served * 100 // len(node.artefact.data)


def as_json(node: Node) -> dict[str, Any]:
    """For scripts."""
    report, told = node.report, node.artefact.manifest if node.artefact else None
    installed = report.installed if report else None
    due_in_s = node.due_in_s(time.monotonic())
    return {
        "node": node.name,
        "state": node.state,
        "text": node.text,
        "version": installed.version if installed else None,
        "counter": installed.counter if installed else None,
        "attempt": node.attempt,
        "have": node.served if node.state in UNDER_WAY else None,
        "of": told.size if told else None,
        "due_in_s": None if due_in_s is None else round(due_in_s),
    }


def _runs(node: Node) -> str:
    return node.report.words() if node.report else "?"


def _state(node: Node) -> str:
    """With how far it is; a sleeper's bar would hide when it wakes."""
    done = percent(node) if node.state == "fetching" else None
    return node.state if done is None else f"{node.state} {done:2} %"


def _bar(node: Node) -> ProgressBar | None:
    done = percent(node) if node.state == "fetching" else None
    return None if done is None or words(node) else ProgressBar(100, done, width=_BAR)


def _duration(seconds: float) -> str:
    for limit, unit, name in ((100, 1, "s"), (5400, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 3600:.1f} h"


class _Silent:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def refresh(self) -> None:
        pass


class _LiveTable:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._live = Live(
            console=Console(highlight=False),
            refresh_per_second=_REFRESH_PER_S,
            get_renderable=lambda: table(nodes),
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def refresh(self) -> None:
        pass  # it looks by itself


class _Lines:
    """Of each node a line when its state changes, and at every quarter of what it fetches."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._said: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def refresh(self) -> None:
        for one in self._nodes:
            done = percent(one) if one.state == "fetching" else None
            step = (done or 0) // _PERCENT_STEP
            if self._said.get(one.name) == (one.state, step):
                continue
            self._said[one.name] = (one.state, step)
            told = f"{done} %" if done is not None else words(one)
            print(
                fit(f"{one.name}: {one.state}{': ' if told else ''}{told}", sys.stdout), flush=True
            )
