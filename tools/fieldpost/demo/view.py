"""What the demonstration looks like: a live screen, or plain lines where there is no terminal."""

import io
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fieldpost.demo.state import Arrival, DemoState
from fieldpost.terminal.console import Console

_READING_ROWS = 8
_CONSOLE_ROWS = 6
_STEP_COUNT = 5
_PICTURE_COLUMNS = 90
_WIDEST = 110
_BAR = 8


class View(Protocol):
    """What the demonstration tells whoever shows it."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def step(self) -> None:
        """The next part of the script begins."""

    def node_said(self, line: str) -> None:
        """A line of the node's console."""

    def arrived(self, arrival: Arrival) -> None:
        """A reading arrived from the broker."""

    def refresh(self) -> None:
        """Some time has passed."""

    def summary(self, summary: dict[str, Any]) -> None:
        """How it ended; called once, last."""

    def save_picture(self, path: Path, summary: dict[str, Any]) -> None:
        """Write the last screen and the summary as an SVG."""


def make_view(state: DemoState, silent: bool) -> View:
    """The one that suits: none for a script, a live screen for a terminal, else plain lines."""
    if silent:
        return Silent(state)
    return Screen(state) if sys.stdout.isatty() else Lines(state)


class Silent:
    """Says nothing."""

    def __init__(self, state: DemoState) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def step(self) -> None:
        pass

    def node_said(self, line: str) -> None:
        pass

    def arrived(self, arrival: Arrival) -> None:
        pass

    def refresh(self) -> None:
        pass

    def summary(self, summary: dict[str, Any]) -> None:
        pass

    def save_picture(self, path: Path, summary: dict[str, Any]) -> None:
        console = Console(record=True, width=_PICTURE_COLUMNS, file=io.StringIO())
        console.print(frame(self._state), _summary(summary))
        picture = console.export_svg(title="make demo", clear=True)
        # Rich would have the picture load its font from elsewhere.
        path.write_text(re.sub(r"@font-face\s*\{.*?\}\s*", "", picture, flags=re.DOTALL))


class Lines(Silent):
    """One line for each thing that happens."""

    def __init__(self, state: DemoState) -> None:
        super().__init__(state)
        self._begun = False

    def step(self) -> None:
        if not self._begun:
            self._begun = True
            _print(f"node    {self._state.node_name}")
            _print(f"        {self._state.note}")
            _print(f"broker  {self._state.broker_name} at {self._state.broker_url}")
        _print(f"step {self._state.step}  {self._state.headline}")

    def node_said(self, line: str) -> None:
        _print(f"node    {line}")

    def arrived(self, arrival: Arrival) -> None:
        fields = " ".join(f"{name}={value}" for name, value in arrival.fields.items())
        repeat = "" if arrival.new else "  (again)"
        _print(f"arrived #{arrival.seq}  {fields}{_late(arrival)}{repeat}")

    def summary(self, summary: dict[str, Any]) -> None:
        for line in summary_lines(summary):
            _print(line)


class Screen(Silent):
    """A live picture of it all."""

    def __init__(self, state: DemoState) -> None:
        super().__init__(state)
        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, _WIDEST)
        self._live = Live(
            console=self._console, auto_refresh=False, get_renderable=lambda: frame(state)
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def refresh(self) -> None:
        self._live.refresh()

    def summary(self, summary: dict[str, Any]) -> None:
        self._console.print(_summary(summary))


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The account in words."""
    repeats = summary["repeats"]
    again = f"; {_count(repeats, 'message')} came twice, which the key removes" if repeats else ""
    shuffled = summary["out_of_order"]
    order = f"{shuffled} out of order" if shuffled else "all in order"
    lines = [
        f"taken {summary['taken']}, delivered {summary['delivered']}, "
        f"lost {summary['lost']}, duplicated {summary['duplicated']}",
        f"{_count(summary['recovered'], 'reading')} of the outage came after it, {order}{again}",
    ]
    if delivery := summary["delivery"]:
        lines.append(f"the last backlog: {_delivery(delivery)}")
    return lines + [f"FAILED: {problem}" for problem in summary["problems"]]


def frame(state: DemoState) -> RenderableType:
    """The whole screen: 24 lines, 80 columns or more."""
    halves = Table.grid(expand=True)
    halves.add_column(ratio=47)
    halves.add_column(ratio=33)
    halves.add_row(_readings(state), _node(state))
    return Group(_headline(state), _chain(state), halves, _console(state), _note(state))


def _summary(summary: dict[str, Any]) -> RenderableType:
    colour = "green" if summary["ok"] else "red"
    return Text("\n".join(summary_lines(summary)), style=f"bold {colour}")


def _headline(state: DemoState) -> RenderableType:
    left_s = state.deadline - time.monotonic() if state.deadline else 0
    countdown = f" ({left_s:.0f} s)" if left_s > 0.5 else ""
    text = Text.assemble(
        (f" {state.step} of {_STEP_COUNT} ", "bold reverse"),
        " ",
        (state.headline, "bold"),
        countdown,
    )
    text.no_wrap = True
    return text


def _chain(state: DemoState) -> RenderableType:
    """Who talks to whom."""
    broker = ("●", "green") if state.broker_up else ("●", "red")
    node = ("●", "green" if state.status == "online" else "yellow")
    arrow = (" ───▶ ", "green") if state.broker_up else (" ──✗── ", "red")
    place = state.broker_url.removeprefix("mqtt://")
    broker_text = f" {state.broker_name}, {place if state.broker_up else 'stopped'}"
    text = Text.assemble(" ", node, f" {state.node_name}", arrow, broker, broker_text)
    text.no_wrap = True
    return text


def _readings(state: DemoState) -> RenderableType:
    shown = list(state.arrivals)[-_READING_ROWS:]
    names = list(shown[-1].fields)[:3] if shown else ["temperature", "humidity"]
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("seq", justify="right", no_wrap=True, min_width=3)
    table.add_column("taken", no_wrap=True, min_width=8)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("arrived", justify="right", no_wrap=True)
    for arrival in shown:
        table.add_row(
            str(arrival.seq),
            "?" if arrival.ts is None else time.strftime("%H:%M:%S", time.localtime(arrival.ts)),
            *(_value(arrival.fields.get(name)) for name in names),
            _late(arrival).strip() or "at once",
            style="yellow" if arrival.waited else "" if arrival.new else "red",
        )
    for _ in range(_READING_ROWS - len(shown)):
        table.add_row("")
    return Panel(table, title="Readings at the subscriber", title_align="left", box=box.ROUNDED)


def _node(state: DemoState) -> RenderableType:
    health, account = state.health, state.account
    colour = "green" if state.waiting < 2 else "yellow"
    outbox = Text(f"{state.waiting} waiting {'■' * min(state.waiting, _BAR)}", style=colour)
    delivery = health.get("delivery")
    free = health.get("free")
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    table.add_row("state", f"{state.status}, boot {state.boot or '?'}")
    table.add_row("taken", f"{len(account.taken)}, arrived {len(account.delivered)}")
    table.add_row("outbox", outbox)
    table.add_row("reconnects", str(health.get("reconnects", 0)))
    table.add_row("heap free", f"{free:,} bytes" if free else "unknown")
    catch_up = Text(_catch_up(delivery) if delivery else "none yet", style="cyan")
    body = Group(table, Text("last catch-up", style="dim"), catch_up)
    height = _READING_ROWS + 3
    return Panel(body, title="Node", title_align="left", box=box.ROUNDED, height=height)


def _console(state: DemoState) -> RenderableType:
    lines = list(state.console)[-_CONSOLE_ROWS:]
    lines += [""] * (_CONSOLE_ROWS - len(lines))
    text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
    return Panel(text, title="Console of the node", title_align="left", box=box.ROUNDED)


def _note(state: DemoState) -> RenderableType:
    return Text(f" {state.note}", style="dim", no_wrap=True, overflow="ellipsis")


def _delivery(delivery: dict[str, Any]) -> str:
    return ", ".join(_catch_up(delivery).splitlines())


def _catch_up(delivery: dict[str, Any]) -> str:
    """In two short lines."""
    readings, round_trips, segments = (
        _count(delivery[name], name.replace("_", " ").removesuffix("s"))
        for name in ("readings", "round_trips", "segments")
    )
    return f"{readings} in {delivery['ms']} ms\n{round_trips}, {segments}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _value(value: Any) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def _late(arrival: Arrival) -> str:
    if not arrival.waited:
        return ""
    return "  late" if arrival.late_s is None else f"  {arrival.late_s:.0f} s late"


def _print(line: str) -> None:
    print(line, flush=True)
