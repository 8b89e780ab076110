"""The collectors of a run: processes of `fieldpost collect` that share one store."""

import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fieldpost.errors import TimedOut
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.processes.started import Started
from scale.program import Program

COUNT = 2
_START_S = 40.0
_LOOK_S = 0.1
_ANSWER_S = 2.0
_METRIC = "fieldpost_collect_"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Collectors(Started):
    """`COUNT` of them, each with an id of its own. Told by their index."""

    def __init__(self, source: str, store: str, folder: Path) -> None:
        self._ports = [free_port() for _ in range(COUNT)]
        self._programs = [
            Program(
                f"collector {index}",
                [
                    *(sys.executable, "-m", "fieldpost", "collect", "--from", source),
                    *("--client-id", f"collect-{index}", "--metrics", str(port)),
                ],
                folder / f"collector-{index}.log",
                {"FIELDPOST_STORE": store},
            )
            for index, port in enumerate(self._ports)
        ]
        # What one had counted before it was killed.
        self._before: list[Counter[str]] = [Counter() for _ in range(COUNT)]
        self._now: list[Counter[str]] = [Counter() for _ in range(COUNT)]

    @property
    def pids(self) -> list[int]:
        return [one.pid for one in self._programs if one.running()]

    def start(self) -> None:
        # One after the other: the first one makes the tables.
        for index in range(COUNT):
            self.start_one(index)

    def start_one(self, index: int) -> None:
        """Until it reads. Raises CommandError if it does not."""
        self._programs[index].start()
        end = time.monotonic() + _START_S
        while not self._scrape(index).get("connected"):
            self._programs[index].require()
            if time.monotonic() > end:
                said = self._programs[index].last_words()
                raise TimedOut(f"collector {index} does not read: {said}")
            time.sleep(_LOOK_S)

    def require(self) -> None:
        """Raises Ended if one has ended by itself."""
        for one in self._programs:
            one.require()

    def kill(self, index: int) -> None:
        """SIGKILL."""
        self.counts()
        self._programs[index].kill()
        self._before[index] += self._now[index]
        self._now[index] = Counter()

    def close(self) -> None:
        for one in self._programs:
            one.stop()

    def counts(self) -> Counter[str]:
        """Of all, since the start: `stored`, `repeated`, `conflicts`, `rejected`, `events`.

        Of one that was killed, as of a moment before.
        """
        for index in range(COUNT):
            told = self._scrape(index)
            if told:
                self._now[index] = told
        return sum([*self._before, *self._now], Counter())

    def _scrape(self, index: int) -> Counter[str]:
        """What one tells Prometheus; nothing if it does not answer."""
        url = f"http://{HOST}:{self._ports[index]}/metrics"
        try:
            with _DIRECT.open(url, timeout=_ANSWER_S) as answer:
                return _parsed(answer.read().decode().splitlines())
        except OSError:
            return Counter()


_NAMES = {
    "readings_stored_total": "stored",
    "readings_repeated_total": "repeated",
    "conflicts_total": "conflicts",
    "rejected_total": "rejected",
    "events_stored_total": "events",
    "connected": "connected",
}


def _parsed(lines: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        name, _, value = line.partition(" ")
        short = _NAMES.get(name.removeprefix(_METRIC))
        if short and name.startswith(_METRIC):
            found[short] = int(float(value))
    return found
