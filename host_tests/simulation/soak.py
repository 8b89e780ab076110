"""Plays seed after seed, and reports what came of them.

    python host_tests/simulation/soak.py --minutes 5
    python host_tests/simulation/soak.py --seeds 1000 --jobs 2 --json
    python host_tests/simulation/soak.py --replay 42 --hours 24

Exit status 0 only if no invariant was broken. The first seed that breaks one ends the soak.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if __package__ in (None, ""):
    # Started as a file: find the firmware as the tests do.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import firmware_paths as _paths  # noqa: F401

from fieldpost.pages import write_part
from simulation.faults import GROUPS
from simulation.personalities import PERSONALITIES
from simulation.run import Failed, Result, run

_HOURS = 24.0
_console = Console(stderr=True)


def play(seed: int, hours: float, broker: str | None = None) -> tuple[int, Result | str, float]:
    """(seed, its Result or the report of its failure, seconds of processor time)."""
    start_s = time.process_time()
    try:
        return seed, run(seed, hours, broker=broker), time.process_time() - start_s
    except Failed as failure:
        return seed, str(failure), time.process_time() - start_s


def _results(
    first: int, hours: float, broker: str | None, jobs: int, goes_on: Callable[[int], bool]
) -> Iterator[tuple[int, Result | str, float]]:
    """Results as they come, until `goes_on(seed)` is False; then of those that still run."""
    seeds = count(first)
    if jobs == 1:
        for seed in seeds:
            if not goes_on(seed):
                return
            yield play(seed, hours, broker)
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future] = set()
        seed = next(seeds)
        while True:
            while len(running) < jobs and goes_on(seed):
                running.add(pool.submit(play, seed, hours, broker))
                seed = next(seeds)
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def soak(
    minutes: Annotated[float, typer.Option(help="How long to go on.")] = 0.0,
    seeds: Annotated[int, typer.Option(help="How many seeds, in place of minutes.")] = 0,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    hours: Annotated[float, typer.Option(help="Simulated hours with faults, of each seed.")] = (
        _HOURS
    ),
    broker: Annotated[
        str | None, typer.Option(help="One for all worlds: a name in personalities.py.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    replay: Annotated[int, typer.Option(help="Play this seed alone, with its trace.")] = -1,
    document: Annotated[
        Path | None, typer.Option(help="Write the report into this page, between its marks.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Simulate nodes under faults, seed after seed, and check that nothing is lost."""
    if broker is not None and broker not in PERSONALITIES:
        raise typer.BadParameter(f"there is no broker {broker!r}: {', '.join(PERSONALITIES)}")
    if replay >= 0:
        first, seeds, minutes = replay, 1, 0.0
    elif not seeds and not minutes:
        minutes = 5.0
    start_s = time.monotonic()
    end_s = start_s + minutes * 60
    total = Result()
    used_s = 0.0
    failure = ""

    def goes_on(seed: int) -> bool:
        if failure:
            return False
        return seed < first + seeds if seeds else time.monotonic() < end_s

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=_console
    ) as progress:
        bar = progress.add_task("soak", total=seeds or minutes * 60)
        for seed, outcome, seconds in _results(first, hours, broker, jobs, goes_on):
            used_s += seconds
            if isinstance(outcome, str):
                failure = failure or outcome
            else:
                total += outcome
            done = total.runs if seeds else time.monotonic() - start_s
            rate = total.node_days / max(time.monotonic() - start_s, 1e-9) * 60
            text = f"seed {seed}: {total.node_days:.0f} node-days, {rate:.0f} a minute"
            progress.update(bar, completed=done, description=text)
    report = _report(total, time.monotonic() - start_s, used_s, jobs)
    if as_json:
        print(json.dumps(report))
    else:
        _print(report)
    if document and not failure:
        _write(document, report)
    if failure:
        print(failure, file=sys.stderr)
        raise typer.Exit(1)


def _report(total: Result, took_s: float, used_s: float, jobs: int) -> dict:
    report = vars(total).copy()
    faults = report.pop("faults")
    brokers = report.pop("brokers")
    report["faults"] = sum(faults.values())
    report["minutes"] = took_s / 60
    report["processes"] = jobs
    report["node_days_per_minute_and_core"] = total.node_days / max(took_s, 1e-9) * 60 / jobs
    report["node_days_per_minute_of_processor_time"] = total.node_days / max(used_s, 1e-9) * 60
    report["worlds_by_broker"] = {name: brokers[name] for name in PERSONALITIES}
    report["faults_by_kind"] = {kind: faults[kind] for kinds in GROUPS.values() for kind in kinds}
    return report


_ROWS = (
    ("runs", "seeds played"),
    ("node_days", "simulated node-days"),
    ("node_days_per_minute_and_core", "node-days per minute and core"),
    ("node_days_per_minute_of_processor_time", "node-days per minute of processor time"),
    ("taken", "readings taken"),
    ("delivered", "delivered"),
    ("waiting", "taken at the end, and waiting"),
    ("lost", "lost"),
    ("doubled", "duplicated after the key"),
    ("repeats", "duplicated on the wire"),
    ("dropped", "dropped by policy, and counted"),
    ("lost_with_power", "lost with the power, from RAM"),
    ("spoilt", "lost with spoilt flash"),
    ("late_waits", "waits past their deadline"),
    ("longest_wait_ms", "longest wait, ms (deadlines: 5,000 to 14,000)"),
    ("longest_catch_up_s", "longest catching up after the last fault, s"),
    ("boots", "boots"),
    ("wakes", "wakes from deep sleep"),
    ("bites", "watchdog resets, all in a hang"),
    ("restarts", "restarts by the firmware"),
    ("commands", "commands sent"),
    ("answers", "answers"),
    ("refusals", "of these, refusals"),
    ("rolled_back", "mistyped brokers taken back, and told"),
    ("alarms", "alarms"),
    ("alarms_checked", "of these, while nothing else went wrong, and so at once"),
    ("offers", "updates offered, good and bad"),
    ("updated", "firmwares that proved themselves"),
    ("went_back", "that went back, and said why"),
    ("not_taken", "refused, or not what was signed"),
    ("silent", "sleeps without a delivery, for a cell that has run down"),
    ("connections", "connections tried"),
    ("faults", "faults"),
)


def _print(report: dict) -> None:
    table = Table(show_header=False, box=None)
    for name, text in _ROWS:
        value = report[name]
        table.add_row(text, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    for what, number in _counted(report):
        table.add_row(f"  {what}", f"{number:,}")
    Console().print(table)


def _counted(report: dict) -> Iterator[tuple[str, int]]:
    yield from report["faults_by_kind"].items()
    for name, number in report["worlds_by_broker"].items():
        yield f"worlds with a broker that {name}", number


def _write(page: Path, report: dict) -> None:
    """The report as a table, in the place of the one before."""
    rows = [
        f"| {text} | {report[name]:,.0f} |"
        for name, text in _ROWS
        if "processor" not in text and "core" not in text
    ]
    rows += [f"| {what} | {number:,} |" for what, number in _counted(report)]
    table = "\n".join(["| of the last soak written here | |", "|---|---|", *rows])
    write_part(page, "<!-- soak -->", "<!-- end of soak -->", table)


if __name__ == "__main__":
    typer.run(soak)
