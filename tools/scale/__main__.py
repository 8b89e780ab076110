"""The command: clusters, and what becomes of a fleet's readings while parts of them fail."""

import argparse
import functools
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from brokers.cache import Cache
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import free_port
from fieldpost.paths import ROOT, cache_folder
from fieldpost.version import project_version
from scale import figures, network, plots, predicted, report
from scale.engines import ENGINES, Engine
from scale.faults import FAULTS, QUICK, Pace, fitting
from scale.fleet import Plan
from scale.network import Loopback, Network
from scale.play import play
from scale.rig import Rig

PAGE = ROOT / "docs" / "scale.md"
RESULTS = ROOT / "docs" / "scale" / "results.json"
# A trial does not take the place of what is published.
TRIED = ROOT / "build" / "scale" / "results.json"
Say = Callable[[str], None]


def measure(
    engine: Engine,
    options: argparse.Namespace,
    say: Say,
    row: dict[str, Any],
    done: Callable[[], None],
) -> None:
    """Fill one cluster's part of the results, `done` after each fault. Raises CommandError for
    what can't be had or started."""
    row["run"] = f"{time.strftime('%Y-%m-%d')}, Fieldpost {project_version()}"
    pace = QUICK if options.quick else Pace()
    plan = Plan(
        nodes=options.nodes,
        sample_s=options.every,
        spread_s=min(options.every, 2.0 if options.quick else 12.0 * options.nodes / 1000),
        processes=options.processes,
    )
    cache = Cache(options.cache or cache_folder() / "brokers")
    with ExitStack() as ends:
        machines: Network | None = None
        if not options.loopback:
            machines = ends.enter_context(Network(engine.nodes))
            ends.enter_context(machines.entered())
        places = machines or Loopback()
        port = free_port() if options.loopback else 1883
        say(f"{engine.title}: starting")
        rig = ends.enter_context(Rig(lambda: engine.make(places), machines, cache, plan, port))
        row["told"] = rig.cluster.told()
        row["versions"] = {"broker": engine.version(), **rig.versions}
        for fault in fitting(rig.cluster.nodes, machines is not None):
            if options.faults and fault.name not in options.faults:
                continue
            told = play(rig, fault, pace, lambda text: say(f"{engine.title}: {text}"))
            row["faults"].append(told)
            say(
                f"{engine.title}, {fault.title}: {told['stored']} of {told['acknowledged']} "
                f"stored, {told['lost']} lost, {told['twice']} twice; delivered after "
                f"{told['delivered_s']} s"
            )
            done()


def run(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """All that was asked for, into `results` and saved as soon as it is known: a run that is
    ended early, however, has what it has."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    for engine in ENGINES:
        if options.only and engine.name not in options.only:
            continue
        row: dict[str, Any] = {"name": engine.name, "title": engine.title, "faults": []}
        results["clusters"].append(row)
        try:
            measure(engine, options, say, row, lambda: _save(options, results))
        except CommandError as error:
            say(f"{engine.title} failed: {error}")
            row["not_run"] = str(error)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    names = [engine.name for engine in ENGINES]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="these clusters")
    faults = [fault.name for fault in FAULTS]
    parser.add_argument("--faults", nargs="+", choices=faults, default=[], help="just these")
    parser.add_argument("--nodes", type=int, default=1000, help="of the fleet; 1000")
    parser.add_argument("--every", type=float, default=10.0, help="s from reading to reading; 10")
    parser.add_argument("--processes", type=int, default=1, help="that the fleet lives in; 1")
    parser.add_argument("--quick", action="store_true", help="short waits, to try the driver")
    parser.add_argument(
        "--loopback", action="store_true", help="no namespaces, so no root, and no partition"
    )
    parser.add_argument("--cache", type=Path, help="where brokers are installed")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, help="results as JSON; by itself, into build/scale/")
    where.add_argument(
        "--docs",
        action="store_true",
        help="into docs/, where other runs stay",
    )
    where.add_argument(
        "--render",
        type=Path,
        nargs="*",
        metavar="JSON",
        help="try nothing: write the page, with these files of --output beside what it has",
    )
    return parser.parse_args(arguments)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


def publish(results: dict[str, Any]) -> None:
    """Results, pictures and page into docs/; of storms also what the back-off predicts."""
    for one in results["clusters"]:
        for row in one["faults"]:
            if row["fault"] == "storm" and "predicted" not in row:
                row["predicted"] = predicted.storm(row)
    report.save(RESULTS, results)
    plots.draw(RESULTS.parent, results)
    report.write(PAGE, results)


def _save(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.docs:
        publish(joined([report.read(RESULTS), results]))
        return
    target = options.output or TRIED
    report.save(target, results)
    if not options.output:
        plots.draw(target.parent, results)


def joined(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each cluster, fault and size of a fleet the latest, in the order of the page."""
    names = [engine.name for engine in ENGINES]
    return functools.reduce(lambda old, new: report.joined(old, new, names), runs)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if all that was asked for ran, and every reading is in the store, once."""
    options = _options(arguments)
    if options.render is not None:
        publish(joined([report.read(path) for path in (RESULTS, *options.render)]))
        return 0
    why = None if options.loopback else network.why_not()
    if why:
        print(f"scale: {why}; or take --loopback, without a partition", file=sys.stderr)
        return 1
    # With an exception everything that was started is ended, and its folders are removed.
    signal.signal(signal.SIGTERM, _end)
    results: dict[str, Any] = {"clusters": []}
    try:
        run(options, results)
    except KeyboardInterrupt:
        return 130
    _save(options, results)
    print(report.render(results))
    rows = [
        {"cluster": one["title"], **fault}
        for one in results["clusters"]
        for fault in one["faults"]
    ]
    for sentence in figures.broken(rows):
        print(f"scale: {sentence}", file=sys.stderr)
    failed = any("not_run" in one for one in results["clusters"])
    return 1 if failed or figures.broken(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
