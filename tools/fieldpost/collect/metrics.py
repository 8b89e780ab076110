"""What a collector tells Prometheus of itself."""

import importlib.util
from collections.abc import Callable
from typing import Protocol

from fieldpost.errors import MissingTool, PortTaken, Usage
from fieldpost.store.rows import Written

_HOST = "127.0.0.1"
_COUNTS = {
    "stored": ("readings_stored", "Readings that were new."),
    "repeated": ("readings_repeated", "Readings that were there already."),
    "filled": ("times_filled", "Readings whose time became known later."),
    "conflicts": ("conflicts", "Other readings under keys that were taken."),
    "events": ("events_stored", "Events that were new."),
    "rejected": ("rejected", "Messages that could not be read."),
}


class State(Protocol):
    """What is looked at when somebody asks."""

    def waiting(self) -> int:
        """Messages that have arrived and are not stored."""
        ...

    def is_connected(self) -> bool:
        """With the broker."""
        ...

    def takes(self) -> bool:
        """Whether the store took the last batch."""
        ...


class Metrics:
    """Counts commits, and answers at http://127.0.0.1:PORT/metrics from `start` on."""

    def __init__(self, where: str) -> None:
        if importlib.util.find_spec("prometheus_client") is None:
            raise MissingTool(
                "--metrics needs a package that is not installed: pip install 'fieldpost[metrics]'"
            )
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._host, self.port = _parsed(where)
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"fieldpost_collect_{metric}", text, registry=self._registry)
            for name, (metric, text) in _COUNTS.items()
        }
        self._commits = Histogram(
            "fieldpost_collect_commit_seconds",
            "What commits took.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=self._registry,
        )
        self._last = Gauge(
            "fieldpost_collect_last_commit_timestamp_seconds",
            "When the last commit was done, in Unix seconds.",
            registry=self._registry,
        )

    def start(self, state: State) -> Callable[[], None]:
        """Answer from now on; gives what ends that. Raises CommandError if the port is taken."""
        from prometheus_client import Gauge, start_http_server

        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "waiting": ("Messages that have arrived and are not stored.", state.waiting),
            "connected": ("1 with a connection to the broker.", state.is_connected),
            "store_takes": ("1 unless the store takes nothing.", state.takes),
        }
        for name, (text, ask) in gauges.items():
            made = Gauge(f"fieldpost_collect_{name}", text, registry=self._registry)
            made.set_function(ask)
        try:
            server, thread = start_http_server(self.port, self._host, self._registry)
        except OSError as error:
            place = f"{self._host}:{self.port}"
            raise PortTaken(f"--metrics can't have {place}: {error.strerror or error}") from None
        self.port = server.server_port

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(2)

        return end

    def on_commit(self, written: Written, took_s: float) -> None:
        """Count it."""
        for name, counter in self._counters.items():
            counter.inc(getattr(written, name))
        self._commits.observe(took_s)
        self._last.set_to_current_time()


def _parsed(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise Usage("--metrics takes a port, 9464, or one of an address, 192.168.1.10:9464")
    return host.strip("[]") or _HOST, int(port)
