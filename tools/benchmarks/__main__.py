"""The command: all benchmarks in one run, results as JSON, tables and plots as a page."""

import argparse
import json
import sys
import tempfile
import time
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
DOCS = ROOT / "docs"
# A quick run, or a part of one, must not take the place of the figures that are published.
TRIED = ROOT / "build" / "benchmarks"


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for. Raises CommandError if a part is missing that every one needs."""
    wanted = options.only or NAMES
    why = namespaces.why_not() if options.namespaces else None
    if why:
        raise CommandError(f"--namespaces: {why}")
    # Figures are compared with others', which were measured with Mosquitto.
    if not find_mosquitto():
        raise CommandError("the benchmarks need Mosquitto: apt install mosquitto")
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="fieldpost-bench-") as folder:
        clients, keys = Path(folder) / "clients", Path(folder) / "certificates"
        clients.mkdir()
        found = parts.gather(clients, options.umqtt_robust, options.mqtt_as)
        with Broker("mosquitto") as broker:
            results: dict[str, Any] = {
                "date": time.strftime("%Y-%m-%d"),
                "quick": options.quick,
                "versions": {**found.versions, "broker": broker.name},
                "not_run": dict(found.missing),
            }
            for name, version in results["versions"].items():
                say(f"{name}: {version}")
            for name, why in found.missing.items():
                say(f"{name} does not take part: {why}")
            if "wake" in wanted:
                results["wake"] = wake.measure(found, broker, options.quick, say)
            if "tls" in wanted:
                results["tls"] = tls.measure(found, keys, options.quick, say)
            if "throughput" in wanted:
                results["throughput"] = throughput.measure(found, broker, options.quick, say)
                results["bursts"] = throughput.bursts(found, broker, say)
            if "scaling" in wanted:
                results["scaling"] = scaling.measure(found, broker, options.quick, say)
            _footprint(results, found, broker, options, say)
            if "phases" in wanted:
                _phases(results, broker, options, say)
        if options.namespaces and "namespaces" in wanted:
            results["namespaces"] = namespaces.measure(found, options.quick, say)
        elif "namespaces" in wanted:
            results["not_run"]["real TCP all the way"] = "needs --namespaces, and root"
        if "recovery" in wanted:
            results["recovery"] = recovery.measure(options.quick, say)
        if "deployment" in wanted:
            image = _image(results, PICO_W, options.image, "deployment to the Pico W")
            if image:
                results["deployment"] = deployment.measure(image, options.quick, say)
    results["targets"] = targets.judge(results)
    return results


def _footprint(
    results: dict[str, Any],
    found: parts.Parts,
    broker: Broker,
    options: argparse.Namespace,
    say: Any,
) -> None:
    """Of each board that is asked for and that there is an emulator and an image of."""
    for name, engine, wanted in (
        ("footprint", PICO_W, options.image),
        ("footprint_c3", ESP32_C3, options.c3_image),
    ):
        if name not in (options.only or NAMES):
            continue
        image = _image(results, engine, wanted, f"footprint on the {engine.title}")
        if image:
            with tempfile.TemporaryDirectory(prefix="fieldpost-bench-") as folder:
                results[name] = footprint.measure(
                    *(found, broker, engine, image, Path(folder), options.quick, say)
                )


def _phases(
    results: dict[str, Any], broker: Broker, options: argparse.Namespace, say: Any
) -> None:
    image = _image(results, PICO_W, options.image, "wakes of the Pico W")
    results["phases"] = wake_phases.measure(broker, image, options.quick, say)
    results["not_run"] |= results["phases"].pop("not_run")


def _image(results: dict[str, Any], engine: Engine, wanted: str | None, what: str) -> Path | None:
    try:
        engine.require()
        return engine.find_image(wanted)
    except CommandError as error:
        results["not_run"][what] = str(error)
        return None


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
    for row in results["targets"]:
        mark = {True: "met", False: "MISSED", None: "not run"}[row["met"]]
        print(f"{mark:8} {row['target']}: {row['measured']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
