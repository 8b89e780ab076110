"""The page of `fieldpost serve` as tests have it: its parts on a store, or all with nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rigs.stores import NOW_S
from starlette.testclient import TestClient

from fieldpost import umqtt
from fieldpost.errors import CommandError
from fieldpost.node_process import NodeProcess
from fieldpost.serve.announce import Announced
from fieldpost.serve.api import Api
from fieldpost.serve.app import make_app
from fieldpost.serve.bench import Bench
from fieldpost.serve.journal import Journal
from fieldpost.serve.overview import Overview
from fieldpost.serve.relay import Relay
from fieldpost.serve.run import Page, Wish, page
from fieldpost.serve.set_up.job import Source
from fieldpost.serve.set_up.route import Boards
from fieldpost.store import sqlite
from fieldpost.store.address import parse
from fieldpost.store.opened import open_store
from fieldpost.store.rows import Row

# Made up, and of no account anywhere.
NO_WIFI = {"wifi": [{"ssid": "desk", "password": "no-password"}]}
OWN = {"x-fieldpost": "1"}


class Orders:
    """Stands in for the commands: keeps what was asked for. refuses: with that sentence."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.refuses: str | None = None

    def ask(self, node: str, do: str, arguments: dict[str, Any]) -> str:
        if self.refuses:
            raise CommandError(self.refuses)
        self.asked.append((node, do, arguments))
        return f"id{len(self.asked)}"


class Parts:
    """The parts behind a page, on a store in `folder`, without a broker. source: what it gives a
    board."""

    def __init__(
        self, folder: Path, relay: Relay | None = None, source: Source | None = None
    ) -> None:
        self._source = source or Source()
        self.store = open_store(parse(f"sqlite:///{folder}/readings.db"))
        self.engine = sqlite.engine(folder / "readings.db", writes=False)
        self.now = NOW_S
        self.overview = Overview(self.engine, lambda: self.now)
        self.journal = Journal()
        self.orders = Orders()
        self._written = Announced(self.store, self.overview, self.journal, lambda _rows: None)
        orders: Any = self.orders
        bench = Bench("a broker", (("Run one", "fieldpost run"),), relay)
        self.api = Api(self.engine, self.overview, self.journal, orders, bench, lambda: True)

    def write(self, rows: Sequence[Row]) -> None:
        """As a collector does."""
        self._written.write(rows)

    def client(self, **who: Any) -> TestClient:
        """A browser of this machine. who: as make_app takes it."""
        return TestClient(
            make_app(self.api, Boards(self._source), **who), base_url="http://127.0.0.1:8470"
        )


@dataclasses.dataclass
class Served:
    """A page that runs, with a broker of its own on loopback."""

    page: Page
    folder: Path
    nodes: list[NodeProcess]
    said: list[str]

    @property
    def url(self) -> str:
        """Of the page."""
        return self.page.url

    @property
    def broker_port(self) -> int:
        """To which nodes come."""
        assert self.page.bench.relay
        return self.page.bench.relay.port

    def node(self, name: str, on_line: Callable[[str], None] | None = None, **config: Any) -> None:
        """Start one that takes a reading each second."""
        umqtt.provide()
        folder = self.folder / name
        folder.mkdir()
        node = NodeProcess(folder, on_line or self.said.append)
        settings = {
            "node": name,
            "boot_window_s": 0,
            "mqtt": {"host": "127.0.0.1", "port": self.broker_port},
            "sample_s": 1,
            "health_s": 10,
            "ntp": {"host": None},
            "retry": {"base_s": 1, "cap_s": 2},
            "sensors": [{"type": "simulated", "period_s": 120}],
            **config,
        }
        node.write_files(settings, NO_WIFI)
        node.start()
        self.nodes.append(node)


@contextmanager
def served(folder: Path, **wish: Any) -> Iterator[Served]:
    """All of `fieldpost serve` but its command line."""
    store = parse(f"sqlite:///{folder}/readings.db")
    said: list[str] = []
    with page(Wish(store=store, is_loopback=True, **wish), said.append) as running:
        one = Served(running, folder, [], said)
        try:
            yield one
        finally:
            for node in one.nodes:
                node.kill()
