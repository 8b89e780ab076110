"""The nodes of a run: processes of `fieldpost swarm`, each with a ledger of what it accepted."""

import csv
import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.errors import Ended, TimedOut
from fieldpost.processes import programs
from fieldpost.processes.started import Started
from scale.program import kill_tree

Key = tuple[str, int, int]
_ENDLESS_MIN = 600
# Nodes say goodbye, and a ledger is written.
_GOODBYE_S = 60.0


@dataclass(frozen=True)
class Plan:
    """nodes: how many, in `processes` processes. sample_s: from reading to reading. spread_s:
    within which they start. drain_s: how long what waits may take in the end."""

    nodes: int
    sample_s: float = 10.0
    spread_s: float = 15.0
    drain_s: float = 120.0
    processes: int = 1
    seed: int = 1


@dataclass(frozen=True)
class Lived:
    """What a fleet has done. accepted: when each reading was; acknowledged: when the broker had
    it, of those it had told so. dialled: connections begun in each second, Unix time. counts: of
    the report, over all processes."""

    accepted: dict[Key, float]
    acknowledged: dict[Key, float]
    dialled: Counter[int]
    counts: Counter[str]
    causes: Counter[str]
    said: list[str]


class Fleet(Started):
    """Nodes named `prefix`-…, at a broker. `end` has what they did."""

    def __init__(self, plan: Plan, prefix: str, broker: str, folder: Path) -> None:
        self._plan = plan
        self._prefix = prefix
        self._broker = broker
        self._folder = folder
        self._running: list[tuple[subprocess.Popen[bytes], programs.Watchdog]] = []

    @property
    def pids(self) -> list[int]:
        return [process.pid for process, _ in self._running]

    def start(self) -> None:
        for number in range(self._plan.processes):
            with (
                self._file(number, "json").open("wb") as report,
                self._file(number, "log").open("wb") as log,
            ):
                process = subprocess.Popen(
                    self._command(number),
                    stdin=subprocess.DEVNULL,
                    stdout=report,
                    stderr=log,
                    start_new_session=True,
                )
            self._running.append((process, programs.Watchdog(process)))

    def require(self) -> None:
        """Raises Ended if one has ended by itself."""
        for number, (process, _) in enumerate(self._running):
            if process.poll() is not None:
                raise Ended(f"a swarm has ended: {self._last_words(number)}")

    def end(self) -> Lived:
        """Have them wait for what waits, and end. Raises CommandError if they do not."""
        self.require()
        for process, _ in self._running:
            process.send_signal(signal.SIGTERM)
        for number, (process, watchdog) in enumerate(self._running):
            try:
                process.wait(self._plan.drain_s + _GOODBYE_S)
            except subprocess.TimeoutExpired:
                raise TimedOut(f"a swarm does not end: {self._last_words(number)}") from None
            watchdog.close()
        told = [self._report(number) for number in range(self._plan.processes)]
        self._running.clear()
        return self._lived(told)

    def close(self) -> None:
        for process, watchdog in self._running:
            watchdog.close()
            kill_tree(process)
        self._running.clear()

    def _command(self, number: int) -> list[str]:
        plan = self._plan
        share, rest = divmod(plan.nodes, plan.processes)
        options = {
            "--broker": self._broker,
            "--nodes": share + (number < rest),
            "--every": plan.sample_s,
            "--spread": plan.spread_s,
            "--minutes": _ENDLESS_MIN,
            "--drain": plan.drain_s,
            "--seed": plan.seed * 100 + number,
            "--prefix": f"{self._prefix}{number}",
            "--ledger": self._file(number, "csv"),
        }
        words = [str(word) for pair in options.items() for word in pair]
        return [sys.executable, "-m", "fieldpost", "swarm", *words, "--no-watch", "--json"]

    def _file(self, number: int, kind: str) -> Path:
        return self._folder / f"swarm-{self._prefix}{number}.{kind}"

    def _last_words(self, number: int) -> str:
        texts = [self._file(number, kind).read_text(errors="replace") for kind in ("json", "log")]
        return " ".join(" ".join(texts).split())[-600:] or "no word"

    def _report(self, number: int) -> dict[str, Any]:
        try:
            told = json.loads(self._file(number, "json").read_text())
        except ValueError:
            told = {}
        if "accepted" not in told:
            raise Ended(f"a swarm gave no account: {self._last_words(number)}")
        return told

    def _lived(self, told: list[dict[str, Any]]) -> Lived:
        accepted: dict[Key, float] = {}
        acknowledged: dict[Key, float] = {}
        for number in range(self._plan.processes):
            with self._file(number, "csv").open(newline="") as file:
                for row in csv.DictReader(file):
                    key = row["node"], int(row["boot"]), int(row["seq"])
                    accepted[key] = float(row["accepted"])
                    if row["acknowledged"]:
                        acknowledged[key] = float(row["acknowledged"])
        dialled: Counter[int] = Counter()
        counts: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        for one in told:
            causes.update(one["causes"])
            names = ("waiting", "under_way", "dropped", "repeats", "dials", "reconnects", "up")
            counts.update({name: one[name] for name in names})
            for second, count in enumerate(one["dialled"]):
                dialled[int(one["began"]) + second] += count
        said = [line for one in told for line in one["said"]]
        return Lived(accepted, acknowledged, dialled, counts, causes, said)
