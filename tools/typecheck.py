"""Checks the types of the firmware on each port, and of the host's code.

    python tools/typecheck.py [esp32] [rp2] [unix] [host]

The firmware is checked against the stubs of MicroPython on ESP32, Pico W and the desktop, so a
function that a port does not have is an error here and not in the field. The stubs are installed
into .cache/stubs/<port> when they are missing or of another version. Status 0 if nothing is wrong.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STUBS = ROOT / ".cache" / "stubs"
STDLIB = "micropython-stdlib-stubs==1.29.0.post2"
PACKAGES = {
    "esp32": ("micropython-esp32-stubs==1.29.0.post1", STDLIB),
    "rp2": ("micropython-rp2-rpi_pico_w-stubs==1.29.0.post1", STDLIB),
    "unix": ("micropython-unix-stubs==1.29.0.post1", STDLIB),
}
CHECKS = (*PACKAGES, "host")
PIP_TIMEOUT_S = 300
PYRIGHT_TIMEOUT_S = 600

# What the checker says of right code, by a part of its message.
NOT_ERRORS = (
    # Faults of the stubs.
    'Cannot access attribute "getvalue" for class "StringIO"',
    '"StringIO" is not assignable to "IOBase_mp"',
    '"socket" is not a known attribute of module "umqtt.simple"',
    'Cannot assign to attribute "socket" for class "ModuleType"',
    # In tests: genuine modules with a function replaced, and functions that only MicroPython has.
    'Cannot assign to attribute "simple" for class "ModuleType"',
    '"print_exception" is not a known attribute of module "sys"',
    'Cannot assign to attribute "getaddrinfo" for class "SocketModule"',
)


def install_stubs(port: str) -> None:
    """Puts the pinned stubs of `port` in place, unless they are there."""
    folder = STUBS / port
    stamp = folder / ".installed"
    wanted = "\n".join(PACKAGES[port])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"{port}: installing {', '.join(PACKAGES[port])}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-user", "--target", str(folder), *PACKAGES[port]]
    done = subprocess.run(command, timeout=PIP_TIMEOUT_S, check=False)
    if done.returncode:
        raise SystemExit(
            f"The stubs for {port} could not be installed. They come from the package registry: "
            f"check that pip reaches it, or put them in {folder.relative_to(ROOT)} by hand."
        )
    stamp.write_text(wanted)


def run_pyright(check: str) -> list[dict[str, Any]]:
    """The diagnostics of one configuration, without those that are none."""
    configuration = ROOT / "tools" / "pyright" / f"{check}.json"
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(configuration)]
    if check == "host":
        command += ["--pythonpath", sys.executable]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PYRIGHT_TIMEOUT_S, check=False
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"pyright did not run:\n{done.stdout}{done.stderr}") from None
    if not report["summary"]["filesAnalyzed"]:
        raise SystemExit(f"{check}: pyright found no files, so this would check nothing.")
    return [
        one
        for one in report["generalDiagnostics"]
        if one["severity"] == "error" and not any(part in one["message"] for part in NOT_ERRORS)
    ]


def describe(one: dict[str, Any]) -> str:
    path = Path(one["file"])
    if path.is_relative_to(ROOT):
        path = path.relative_to(ROOT)
    line = one.get("range", {}).get("start", {}).get("line", 0) + 1
    return f"{path}:{line}: {one['message']} ({one.get('rule', 'syntax')})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "checks", nargs="*", metavar="CHECK", help=f"some of {', '.join(CHECKS)} (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print the errors as JSON")
    arguments = parser.parse_args()
    for check in arguments.checks:
        if check not in CHECKS:
            parser.error(f"{check!r} is none of {', '.join(CHECKS)}")
    checks = arguments.checks or CHECKS
    for check in checks:
        if check in PACKAGES:
            install_stubs(check)
    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as pool:
        for check, diagnostics in zip(checks, pool.map(run_pyright, checks), strict=True):
            found[check] = [describe(one) for one in diagnostics]
            if not arguments.json:
                for text in found[check]:
                    print(f"{check}: {text}")
                print(f"{check}: {len(found[check])} errors", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=2))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
