"""Benchmark 6: the time to bring the firmware onto an emulated board, and to find it there."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Row, merge
from fieldpost.deploy.build import for_pico_w
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.emulator.emulator import Emulator
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

FIRST, COPY, AGAIN = "fieldpost deploy", "mpremote fs cp -r", "fieldpost deploy, nothing changed"
_ROUNDS = 2
_AGAIN = 4
_COPY_S = 300


class _Quiet:
    def say(self, where: str, text: str) -> None: ...
    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...
    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None: ...


def measure(image: Path, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each way, in seconds; each first deployment and copy on a bare board."""
    runs: dict[str, list[dict[str, float]]] = {FIRST: [], COPY: [], AGAIN: []}
    built = for_pico_w()
    # What deploy makes one file of, as anybody else would bring it there.
    files = built.modules | {path: built.files[path] for path in ("boot.py", "main.py")}
    for _ in range(1 if quick else _ROUNDS):
        say("deployment: to a bare board, and again")
        # Its clock is the wall's: what a tool waits for, it waits for.
        with Emulator(image, files={}, real_time=True) as board:
            runs[FIRST].append({"s": _deploy(board)})
            runs[AGAIN] += [{"s": _deploy(board)} for _ in range(_AGAIN)]
        say("deployment: the same modules with mpremote")
        with Emulator(image, files={}, real_time=True) as board:
            runs[COPY].append({"s": _copy(board, files)})
    rows: list[Row] = []
    for way, some in runs.items():
        sent = files if way == COPY else built.files
        row: Row = {"way": way, "files": len(sent), "bytes": sum(map(len, sent.values()))}
        rows.append(row | merge(some, "s"))
    return rows


def _deploy(board: Emulator) -> float:
    # The whole command, and not what it says of itself.
    begin = time.monotonic()
    outcome = deploy(board.console, Wish(ROOT), _Quiet())
    if not outcome.ok:
        raise CommandError(outcome.text)
    return time.monotonic() - begin


def _copy(board: Emulator, files: dict[str, bytes]) -> float:
    with tempfile.TemporaryDirectory(prefix="fieldpost-bench-") as folder:
        for path, data in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        command = [sys.executable, "-m", "mpremote", "connect", board.console, "fs", "cp", "-r"]
        command += [str(path) for path in sorted(Path(folder).iterdir())] + [":"]
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COPY_S)
        if done.returncode:
            raise CommandError(f"mpremote: {done.stderr.strip().splitlines()[-1]}")
        return time.monotonic() - begin
