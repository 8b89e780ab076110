"""Looks at a run twice in a second: connections at proxy and brokers, counts of collectors."""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from fieldpost.errors import CommandError
from fieldpost.processes.started import Started
from scale.collectors import Collectors
from scale.network import Network
from scale.proxy import Proxy, Traffic

_EVERY_S = 0.5
# Collectors answer from the process that does the work: not too often.
_COUNTS_EVERY = 4


@dataclass(frozen=True)
class Sample:
    """at: Unix seconds. taken: connections that came to the brokers since their start."""

    at: float
    traffic: Traffic
    taken: int


class Watch(Started):
    """From entering `with` until leaving it. `counts`: the collectors', as last seen.

    network: whose machines tell what came to them; None: the proxy tells, and takes a broker that
    has just ended for one that is there.
    """

    def __init__(self, proxy: Proxy, collectors: Collectors, network: Network | None) -> None:
        self._proxy = proxy
        self._network = network
        self._collectors = collectors
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Sample] = []
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        self._look(0)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def open(self) -> int:
        """Connections of nodes now."""
        return self.samples[-1].traffic.open

    def _run(self) -> None:
        number = 0
        while not self._end.wait(_EVERY_S):
            number += 1
            self._look(number)

    def _look(self, number: int) -> None:
        try:
            traffic = self._proxy.traffic()
            taken = self._network.taken() if self._network else sum(traffic.reached)
            self.samples.append(Sample(time.time(), traffic, taken))
        except CommandError:
            return  # it is asked again, and its counts go on
        if number % _COUNTS_EVERY == 0:
            self.counts = self._collectors.counts()
