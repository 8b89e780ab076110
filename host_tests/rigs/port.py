"""Runs MicroPython's unix port on the firmware, as a board's file system would lie."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fieldpost.node_process import find_micropython
from fieldpost.paths import DESK_PATH, ROOT

SCRIPTS = ROOT / "host_tests" / "port"


def micropython() -> str:
    """Path of the interpreter: of this environment, else of the system; skips without."""
    found = find_micropython()
    if not found:
        pytest.skip("MicroPython's unix port is not installed for this platform")
    return found


def port_environment(*first: Path) -> dict[str, str]:
    """An environment in which the port finds `first`, then `firmware/`, `lib/` and `emulated/`."""
    ours = (ROOT, ROOT / "lib", DESK_PATH)
    folders = [*(str(one) for one in (*first, *ours)), ".frozen"]
    return {**os.environ, "MICROPYPATH": os.pathsep.join(folders)}


def run_port(
    script: str | Path,
    *arguments: str,
    cwd: Path | None = None,
    first: tuple[Path, ...] = (),
    heap: str = "2M",
    timeout_s: float = 60,
) -> str:
    """Output of a script (a file of host_tests/port, a path, or source with newlines)."""
    if isinstance(script, Path) or "\n" not in script:
        target = [str(SCRIPTS / script)]
    else:
        target = ["-c", script]
    done = subprocess.run(
        [micropython(), "-X", f"heapsize={heap}", *target, *arguments],
        cwd=cwd,
        env=port_environment(*first),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
