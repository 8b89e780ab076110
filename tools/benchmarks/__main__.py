"""The command: all benchmarks in one run, results as JSON, tables and plots as a page."""

import argparse
import functools
import importlib.util
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    deployment,
    footprint,
    namespaces,
    parts,
    plots,
    recovery,
    report,
    scaling,
    targets,
    throughput,
    tls,
    wake,
    wake_phases,
)
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker, find_mosquitto
from fieldpost.paths import ROOT
from fieldpost.terminal.advice import install_command

NAMES = (
    "wake",
    "tls",
    "namespaces",
    "throughput",
    "footprint",
    "footprint_c3",
    "scaling",
    "recovery",
    "deployment",
    "phases",
)
_BOARDS: dict[str, Engine] = {"footprint": PICO_W, "footprint_c3": ESP32_C3}
DOCS = ROOT / "docs"
# A quick run, or a part of one, must not take the place of the figures that are published.
TRIED = ROOT / "build" / "benchmarks"


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for. Raises CommandError if a part is missing that every one needs.

    What is missing besides is said before anything is measured. A benchmark that fails on its way
    is named in `failed`, and why in `not_run`: the others are worth their minutes without it.
    """
    wanted = options.only or NAMES
    _need(options)
    started = time.monotonic()
    quick = options.quick

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    results: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "quick": quick}

    def part(name: str, measure: Callable[[], Any]) -> None:
        if name in (*wanted, "bursts"):
            try:
                results[name] = measure()
            except Exception as error:  # of any kind: the minutes of the others are worth more
                if not isinstance(error, CommandError):
                    traceback.print_exc()
                say(f"{name} failed: {error}")
                results["not_run"][name] = str(error)
                results.setdefault("failed", []).append(name)

    with (
        tempfile.TemporaryDirectory(prefix="fieldpost-bench-") as top,
        Broker("mosquitto") as broker,
    ):
        folder = Path(top)
        for name in ("clients", *_BOARDS):
            (folder / name).mkdir()
        found = parts.gather(folder / "clients", options.umqtt_robust, options.mqtt_as)
        results["versions"] = {**found.versions, "broker": broker.name}
        results["not_run"] = dict(found.missing)
        for name, version in results["versions"].items():
            say(f"{name}: {version}")
        images = _images(options, results["not_run"])
        for name, why in results["not_run"].items():
            say(f"{name} does not take part: {why}")
        part("wake", lambda: wake.measure(found, broker, quick, say))
        part("tls", lambda: tls.measure(found, folder / "certificates", quick, say))
        part("throughput", lambda: throughput.measure(found, broker, quick, say))
        if "throughput" in wanted:
            part("bursts", lambda: throughput.bursts(found, broker, quick, say))
        part("scaling", lambda: scaling.measure(found, broker, quick, say))
        # A quick run asks the quicker of the two boards.
        for name, engine in tuple(_BOARDS.items())[: 1 if quick and not options.only else None]:
            if image := images.get(engine):
                arguments = (found, broker, engine, image, folder / name, quick, say)
                part(name, functools.partial(footprint.measure, *arguments))
        part("phases", lambda: wake_phases.measure(broker, images.get(PICO_W), quick, say))
        if results.get("phases"):
            results["not_run"] |= results["phases"].pop("not_run")
        if options.namespaces:
            part("namespaces", lambda: namespaces.measure(found, quick, say))
        elif "namespaces" in wanted:
            results["not_run"]["real TCP all the way"] = "needs --namespaces, and root"
        part("recovery", lambda: recovery.measure(quick, say))
        if image := images.get(PICO_W):
            part("deployment", functools.partial(deployment.measure, image, quick, say))
    results["targets"] = targets.judge(results)
    return results


def _need(options: argparse.Namespace) -> None:
    """Raises CommandError for what would be missed only at the end of a run."""
    why = namespaces.why_not() if options.namespaces else None
    if why:
        raise CommandError(f"--namespaces: {why}")
    # Figures are compared with others', which were measured with Mosquitto.
    if not find_mosquitto():
        raise CommandError("the benchmarks need Mosquitto: apt install mosquitto")
    if not options.output and importlib.util.find_spec("matplotlib") is None:
        how = install_command("matplotlib")
        raise CommandError(f"the page needs matplotlib for its plots: `{how}`, or give --output")


def _images(options: argparse.Namespace, not_run: dict[str, str]) -> dict[Engine, Path]:
    """What there is to boot, of the boards that are wanted; else why not, in `not_run`."""
    found = {}
    for engine, image, names in (
        (PICO_W, options.image, ("footprint", "deployment", "phases")),
        (ESP32_C3, options.c3_image, ("footprint_c3",)),
    ):
        if set(names) & set(options.only or NAMES):
            try:
                engine.require()
                found[engine] = engine.find_image(image)
            except CommandError as error:
                not_run[f"{', '.join(names)}, on the {engine.title}"] = str(error)
    return found


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, the short cases only")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="of the benchmarks, just these")
    parser.add_argument("--image", help="Pico W image: a path, or a version in the cache")
    parser.add_argument("--c3-image", help="ESP32-C3 image, likewise")
    parser.add_argument("--mqtt-as", type=Path, metavar="DIR", help="a checkout of mqtt_as")
    parser.add_argument(
        "--umqtt-robust", type=Path, metavar="FILE", help="its archive or robust.py"
    )
    parser.add_argument(
        "--namespaces", action="store_true", help="also over real TCP all the way; needs root"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, help="results as JSON, and no page")
    where.add_argument(
        "--docs",
        action="store_true",
        help="into docs/, for publication; by itself, into build/benchmarks/",
    )
    parser.add_argument(
        "--render",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="measure nothing: tables and plots of a file, with what the next ones have beyond it",
    )
    return parser.parse_args(arguments)


def _joined(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The first run, with the benchmarks of the others that it lacks, which are named `apart`."""
    results = runs[0]
    for other in runs[1:]:
        for name in NAMES:
            if other.get(name) and not results.get(name):
                results[name] = other[name]
                results.setdefault("apart", []).append(name)
                if name == "phases":
                    results[name]["run"] = f"{other['date']}, {other['versions']['Fieldpost']}"
                if name == "namespaces":
                    results["not_run"].pop("real TCP all the way", None)
    results["targets"] = targets.judge(results)
    return results


def write_page(folder: Path, results: dict[str, Any]) -> Path:
    """The page with these results, its plots and results.json beside it, in `folder`."""
    pictures = folder / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    plots.draw(pictures, results)
    page = folder / "benchmarks.md"
    if folder != DOCS:
        page.write_text((DOCS / page.name).read_text(encoding="utf-8"), encoding="utf-8")
    report.write(page, results)
    return page


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if everything that was asked for ran; a missed target is a result."""
    options = _options(arguments)
    try:
        if options.render:
            results = _joined([json.loads(path.read_text()) for path in options.render])
        else:
            results = run(options)
    except CommandError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")
    else:
        page = write_page(DOCS if options.docs else TRIED, results)
        print(f"written: {page}", file=sys.stderr)
    failed = results.get("failed", [])
    for name in failed:
        print(f"bench: {name} failed: {results['not_run'][name]}", file=sys.stderr)
    for row in results["targets"]:
        mark = {True: "met", False: "MISSED", None: "not run"}[row["met"]]
        print(f"{mark:8} {row['target']}: {row['measured']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
