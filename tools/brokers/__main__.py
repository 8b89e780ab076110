"""The command: every broker that can be had, one after the other; results and page into docs/."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brokers import probes, report
from brokers.cache import Cache
from brokers.catalogue.everything import KINDS
from brokers.kinds import Kind
from brokers.process import RunningBroker
from fieldpost.errors import CommandError
from fieldpost.node_process import find_micropython
from fieldpost.paths import ROOT, cache_folder

PAGE = ROOT / "docs" / "brokers.md"
RESULTS = ROOT / "docs" / "brokers" / "results.json"
Say = Callable[[str], None]


def measure(kind: Kind, cache: Cache, say: Say) -> dict[str, Any]:
    """One broker's part of the results. What cannot be had or started says why: `not_run`."""
    row: dict[str, Any] = {"name": kind.name, "title": kind.title, "lacks": dict(kind.lacks)}
    try:
        say(f"{kind.title}: installing")
        installed = kind.install(cache)
        row |= {"version": installed.version, "hashes": installed.hashes}
        with RunningBroker(kind, installed) as broker:
            say(f"{kind.title} {installed.version}: asking")
            row["answers"] = probes.ask(broker)
            if "restart" not in kind.lacks:
                row["restarts"] = probes.over_a_restart(broker)
    except CommandError as error:
        say(f"{kind.title} is left out: {error}")
        row["not_run"] = str(error)
    return row


def run(wanted: list[str], folder: Path) -> dict[str, Any]:
    """All that was asked for."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    cache = Cache(folder)
    kinds = [kind for kind in KINDS if not wanted or kind.name in wanted]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "versions": _versions(),
        "brokers": [measure(kind, cache, say) for kind in kinds],
    }


def _versions() -> dict[str, str]:
    said = {"Python": sys.version.split()[0]}
    if find_micropython():
        said["MicroPython"] = "unix port"
    return said


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make brokers", description=__doc__)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="just these")
    parser.add_argument("--cache", type=Path, help="where brokers are installed")
    parser.add_argument("--output", type=Path, help="results as JSON; docs/ stays as it is")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if it ran; a broker that cannot be had is named, and no error."""
    options = _options(arguments)
    if options.render:
        report.write(PAGE, report.read(RESULTS))
        return 0
    results = run(options.only, options.cache or cache_folder() / "brokers")
    text = json.dumps(results, indent=1) + "\n"
    if options.output or options.only:
        # A part of the brokers never takes the place of the published table.
        target = options.output or ROOT / "build" / "brokers.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(report.render(results))
        print(f"Results: {target}", file=sys.stderr)
    else:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text)
        report.write(PAGE, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
