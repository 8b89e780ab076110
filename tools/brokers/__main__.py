"""The command: every broker that can be had, one after the other; results and page into docs/."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import micropython_version
from brokers import node_runs, other_clients, probes, report
from brokers.cache import Cache
from brokers.catalogue import paho_testing
from brokers.catalogue.everything import KINDS
from brokers.kinds import Kind
from brokers.process import RunningBroker
from fieldpost.errors import CommandError
from fieldpost.node_process import find_micropython
from fieldpost.paths import ROOT, cache_folder
from fieldpost.version import project_version

PAGE = ROOT / "docs" / "brokers.md"
RESULTS = ROOT / "docs" / "brokers" / "results.json"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """What a run has: where brokers are installed, where packets go, other clients, its name.

    only: just these of a node's runs, and no questions; all of it without any.
    """

    cache: Cache
    traces: Path
    others: list[other_clients.Client]
    run: str
    only: tuple[str, ...] = ()


def measure(kind: Kind, means: Means, say: Say) -> dict[str, Any]:
    """One broker's part of the results. What cannot be had or started says why: `not_run`."""
    row: dict[str, Any] = {"name": kind.name, "title": kind.title, "lacks": dict(kind.lacks)}
    try:
        say(f"{kind.title}: installing")
        installed = kind.install(means.cache)
        row |= {"version": installed.version, "hashes": installed.hashes, "run": means.run}
        with RunningBroker(kind, installed) as broker:
            say(f"{kind.title} {installed.version}: asking")
            if kind.is_asked and not means.only:
                row["answers"] = probes.ask(broker)
                if "restart" not in kind.lacks:
                    row["restarts"] = probes.over_a_restart(broker)
            row["nodes"] = node_runs.play(broker, say, means.traces, means.only)
            if kind.is_asked and not means.only and "rights" not in kind.lacks:
                row["others"] = other_clients.write_only(broker, means.others)
                say(f"{kind.title}, other clients: {row['others']}")
    except CommandError as error:
        say(f"{kind.title} is left out: {error}")
        row["not_run"] = str(error)
    return row


def run(options: argparse.Namespace, cache: Cache) -> dict[str, Any]:
    """All that was asked for."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    traces = ROOT / "build" / "brokers"
    traces.mkdir(parents=True, exist_ok=True)
    others = other_clients.clients(options.mqtt_as)
    means = Means(cache, traces, others, _name(), tuple(options.runs))
    kinds = [kind for kind in KINDS if not options.only or kind.name in options.only]
    return {"brokers": [measure(kind, means, say) for kind in kinds]}


def _name() -> str:
    """A run's date, and what took part in it besides the brokers."""
    micropython = find_micropython()
    words = [time.strftime("%Y-%m-%d"), f"Fieldpost {project_version()}"]
    if micropython:
        words.append(f"MicroPython {micropython_version(micropython)}")
    return ", ".join(words)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make brokers", description=__doc__)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="just these")
    parser.add_argument("--runs", nargs="+", default=[], help="just these of a node's runs")
    parser.add_argument("--cache", type=Path, help="where brokers are installed")
    parser.add_argument("--output", type=Path, help="results as JSON; docs/ stays as it is")
    parser.add_argument(
        "--docs", action="store_true", help="with --only or --runs: into docs/, too"
    )
    parser.add_argument("--mqtt-as", type=Path, metavar="DIR", help="a checkout of mqtt_as")
    parser.add_argument(
        "--paho-testing", type=Path, metavar="DIR", help="a checkout of eclipse/paho.mqtt.testing"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page")
    return parser.parse_args(arguments)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if it ran; a broker that cannot be had is named, and no error."""
    options = _options(arguments)
    if options.render:
        report.write(PAGE, report.read(RESULTS))
        return 0
    checkouts = {paho_testing.NAME: options.paho_testing} if options.paho_testing else {}
    cache = Cache(options.cache or cache_folder() / "brokers", checkouts)
    # With an exception everything that was started is ended, and its folders are removed.
    signal.signal(signal.SIGTERM, _end)
    try:
        results = run(options, cache)
    except KeyboardInterrupt:
        print("Ended before it was done: docs/ stays as it is.", file=sys.stderr)
        return 130
    if options.output or ((options.only or options.runs) and not options.docs):
        # A trial of a few brokers does not take the place of the published tables.
        target = options.output or ROOT / "build" / "brokers.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(results, indent=1) + "\n")
        print(report.render(results))
        print(f"Results: {target}", file=sys.stderr)
        return 0
    RESULTS.parent.mkdir(exist_ok=True)
    old = report.read(RESULTS) if RESULTS.exists() else {}
    names = [kind.name for kind in KINDS]
    results = report.joined(old, results, names, is_whole=not options.runs)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    report.write(PAGE, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
