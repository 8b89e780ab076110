"""What `fieldpost battery` says: the model's results as a dictionary, and as tables."""

import math
from typing import Any

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fieldpost.battery.cells import Cell
from fieldpost.battery.levers import levers
from fieldpost.battery.model import (
    CASES,
    Node,
    Phase,
    awake_ms,
    cell_ua,
    charge_mc,
    life_days,
    use,
)
from fieldpost.errors import Usage
from fieldpost.terminal.console import Console, longest_word

_LONG_LIFE_DAYS = 3652
_FRAME_COLUMNS = 80


def report(name: str, node: Node, cell: Cell, temperature_c: float) -> dict[str, Any]:
    """Return everything there is to say, as JSON takes it. Times in ms, charges in mC."""
    cases = {}
    for case in CASES:
        found = use(node, case)
        from_cell_ua = cell_ua(node.board, cell, found.average_ua)
        life = life_days(cell, from_cell_ua, case, temperature_c)
        if not math.isfinite(life):
            raise Usage("with these figures the node draws no current at all")
        cases[case] = {
            "days": round(life, 2),
            "average_ua": round(from_cell_ua, 2),
            "mah_a_day": round(from_cell_ua * 24 / 1000, 4),
            "board_ua": round(found.average_ua, 2),
            "sleep_ua": round(found.sleep_ua, 2),
            "shares": {key: round(share, 4) for key, share in found.shares.items()},
            "sampling_wake": _wake(found.sampling),
            "delivering_wake": _wake(found.delivering),
        }
    return {
        "node": name,
        "board": node.board.title,
        "cell": {
            "title": cell.title,
            "capacity_mah": cell.capacity_mah,
            "share_at_temperature": round(cell.share_at(temperature_c), 3),
            "source": cell.source,
        },
        "temperature_c": temperature_c,
        "mode": "duty_cycle" if node.duty_cycle else "always_on",
        "sample_s": node.sample_s,
        "deliver_every": node.deliver_every,
        "join": "measured" if node.measured_join_ms else node.join,
        "sensors": [sensor.title for sensor in node.sensors],
        "not_counted": [sensor.title for sensor in node.sensors if not sensor.is_known],
        "cases": cases,
        "levers": [
            {
                "change": lever.title,
                "days": {case: round(lever.days[case], 2) for case in CASES},
                "gain": {case: round(lever.gain[case], 3) for case in CASES},
            }
            for lever in levers(node, cell, temperature_c)
        ],
        "sleep_current_known": node.board.sources["sleep_ua"] == "given" or not node.duty_cycle,
        "warnings": _warnings(node, cell, cases),
        "sources": node.board.sources,
    }


def _wake(phases: list[Phase]) -> dict[str, Any]:
    return {
        "ms": round(awake_ms(phases), 1),
        "mc": round(charge_mc(phases), 3),
        "phases": [
            {
                "phase": one.name,
                "ms": round(one.ms, 1),
                "ma": round(one.ma, 2),
                "mc": round(one.mc, 3),
            }
            for one in phases
        ],
    }


def _warnings(node: Node, cell: Cell, cases: dict[str, Any]) -> list[str]:
    found = []
    if not node.duty_cycle:
        found.append('"mode" is "always_on": the radio stays on, and a battery lasts days at most')
    elif node.board.sources["sleep_ua"] != "given":
        span = node.board.sleep_ua
        found.append(
            f"the sleep current of this very board is not known: between {span.best:g} and "
            f"{span.worst:g} uA on boards of its kind. It decides the result: measure it and say "
            "--sleep-ua"
        )
    # The limit counts from the reading, and so leaves out what the slowest sensor takes.
    longest_ms = cases["low"]["delivering_wake"]["ms"] - node.slowest_ms("low")
    if longest_ms > node.awake_limit_s * 1000:
        found.append(
            f"in the low case a wake that delivers takes {longest_ms / 1000:.1f} s "
            f'besides its sensors, longer than "awake_limit_s": {node.awake_limit_s:g}, and would '
            "sleep without having delivered"
        )
    for case in CASES:
        if cases[case]["delivering_wake"]["ms"] > node.sample_s * 1000:
            found.append(f'in the {case} case a wake takes longer than "sample_s"')
            break
    if cell.end_v < node.board.supply_v.best:
        found.append(
            f"{cell.title} ends at {cell.end_v:g} V, and the {node.board.title} wants "
            f"{node.board.supply_v.best:g} V: its last part is lost, or needs a converter that "
            "is not in this sum"
        )
    if cases["high"]["days"] > _LONG_LIFE_DAYS:
        found.append("more than 10 years is arithmetic: few cells last so long")
    return found


def show(report: dict[str, Any]) -> None:
    """Print the report for people."""
    console = Console(highlight=False, markup=False)
    console.print(
        f"{report['node']} on {report['board']} and {report['cell']['title']} "
        f"({report['cell']['capacity_mah']:g} mAh) at {report['temperature_c']:g} degC",
        style="bold",
    )
    how = "always on"
    if report["mode"] == "duty_cycle":
        batch = report["deliver_every"]
        each = "each one" if batch == 1 else f"{batch} at a time"
        join = {"rejoin": "fast rejoin", "scan": "scan and DHCP", "static": "scan, fixed address"}
        joining = join.get(report["join"], "join as measured")
        how = f"a reading every {report['sample_s']:g} s, {each} delivered, {joining}"
    console.print(f"{how}; sensors: {', '.join(report['sensors']) or 'none'}")
    for title in report["not_counted"]:
        console.print(f"✗ {title}: draw not known, not counted", style="bold red")
    for number, warning in enumerate(report["warnings"]):
        loud = number == 0 and not report["sleep_current_known"]
        text = Text(warning[0].upper() + warning[1:] + ".")
        if loud:
            console.print(Panel(text, title="a guess until you measure", style="bold red"))
        else:
            console.print(Text("! ", "yellow") + text)
    if report["mode"] == "duty_cycle":
        console.print(_charges(report, console.width))
    console.print(_lives(report, console.width))
    if report["levers"]:
        console.print(_levers(report, console.width))


def _table(title: str, width: int) -> Table:
    """On a narrow terminal without a frame, which takes the room of a number."""
    table = Table(title=title, title_justify="left", title_style="bold")
    if width < _FRAME_COLUMNS:
        table.box, table.pad_edge = box.SIMPLE_HEAD, False
    return table


def _charges(report: dict[str, Any], width: int) -> Table:
    low, high = report["cases"]["low"], report["cases"]["high"]
    shares = report["cases"]["middle"]["shares"]
    table = _table("Where the charge goes", width)
    wakes = ("sampling", "delivering")
    phases = [one["phase"] for wake in wakes for one in low[f"{wake}_wake"]["phases"]]
    table.add_column("phase", min_width=longest_word([*phases, *wakes]))
    for title in ("ms", "mA", "mC", "share of all"):
        table.add_column(title, justify="right")
    if report["deliver_every"] > 1:
        _add_wake(table, "sampling", low["sampling_wake"], high["sampling_wake"], shares)
    _add_wake(table, "delivering", low["delivering_wake"], high["delivering_wake"], shares)
    sleep = _span(high["sleep_ua"] / 1000, low["sleep_ua"] / 1000)
    table.add_row("sleep", "", sleep, "", f"{shares['sleep']:.0%}")
    return table


def _add_wake(
    table: Table, wake: str, low: dict[str, Any], high: dict[str, Any], shares: dict[str, float]
) -> None:
    """One row for each phase; a phase that one case lacks has no charge there."""
    nothing = {"ms": 0.0, "ma": 0.0, "mc": 0.0}
    by_name = [{one["phase"]: one for one in found["phases"]} for found in (high, low)]
    for name in dict.fromkeys([*by_name[1], *by_name[0]]):
        best, worst = (found.get(name, nothing) for found in by_name)
        share = shares.get(f"{wake} {name}", 0.0)
        spans = (_span(best[key], worst[key]) for key in ("ms", "ma", "mc"))
        table.add_row(name, *spans, f"{share:.0%}")
    share = sum(part for name, part in shares.items() if name.startswith(wake))
    total = (_span(high["ms"], low["ms"]), "", _span(high["mc"], low["mc"]), f"{share:.0%}")
    table.add_row(f"a {wake} wake", *total, style="bold", end_section=True)


def _lives(report: dict[str, Any], width: int) -> Table:
    table = _table("Life", width)
    table.add_column("case")
    for title in ("mean current", "mAh a day", "days", ""):
        table.add_column(title, justify="right")
    for case in CASES:
        found = report["cases"][case]
        current = f"{found['average_ua'] / 1000:.3g} mA"
        if found["average_ua"] < 1000:
            current = f"{found['average_ua']:.3g} uA"
        table.add_row(
            case,
            current,
            f"{found['mah_a_day']:.3g}",
            Text(_days(found["days"]), "bold"),
            _period(found["days"]),
        )
    return table


def _levers(report: dict[str, Any], width: int) -> Table:
    table = _table("What would help most", width)
    changes = [lever["change"] for lever in report["levers"]]
    table.add_column("change", min_width=longest_word(changes))
    for case in CASES:
        table.add_column(f"days, {case}", justify="right")
    table.add_column("gain", justify="right", no_wrap=True)
    for lever in report["levers"]:
        lives = (_days(lever["days"][case]) for case in CASES)
        table.add_row(lever["change"], *lives, f"x {lever['gain']['middle']:.2f}")
    return table


def _days(days: float) -> str:
    return f"{days:.1f}" if days < 10 else f"{days:.0f}"


def _period(days: float) -> str:
    if days < 60:
        return f"{days / 7:.1f} weeks"
    if days < 730:
        return f"{days / 30.44:.1f} months"
    return f"{days / 365.25:.1f} years"


def _span(best: float, worst: float) -> str:
    # What is left to do after a join is the less, the longer the join: its ends may be crossed.
    ends = sorted((best, worst))
    first, second = (f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in ends)
    return first if first == second else f"{first} to {second}"
