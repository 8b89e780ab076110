"""All parts of a run, as users would run them: cluster, proxy, collectors, PostgreSQL, nodes."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from brokers.cache import Cache
from fieldpost.errors import MissingTool, TimedOut
from fieldpost.processes.started import Started
from scale.cluster import Cluster
from scale.collectors import Collectors
from scale.fleet import Fleet, Plan
from scale.load import Usage, look
from scale.network import Network
from scale.postgresql import PostgreSql, find_postgresql
from scale.proxy import Proxy
from scale.stored import SETTINGS, Look
from scale.watch import Watch

_HOST = "127.0.0.1"
_LOOK_S = 0.5
# Of connections beside those of nodes, and of those that have ended at one end.
_SPARE = 1000


class Rig(Started):
    """From entering `with` until leaving it.

    network: None where all is on loopback; a partition needs one. make: gives the cluster.
    """

    def __init__(
        self,
        make: Callable[[], Cluster],
        network: Network | None,
        cache: Cache,
        plan: Plan,
        port: int,
    ) -> None:
        self._make = make
        self._cache = cache
        self._port = port
        self._ends = ExitStack()
        self.network = network
        self.plan = plan
        self.versions: dict[str, str] = {}

    def start(self) -> None:
        """All but the nodes. Raises CommandError."""
        enter = self._ends.enter_context
        self.folder = Path(enter(tempfile.TemporaryDirectory(prefix="fieldpost-scale-")))
        place = find_postgresql()
        if place is None:
            raise MissingTool("PostgreSQL is not installed: apt install postgresql")
        # What it needs at most: two collectors and us.
        self.store = enter(PostgreSql(place, SETTINGS))
        self.url = self.store.new_database()
        self.look = Look(self.url)
        self.cluster = self._make()
        self._ends.callback(self.cluster.close)
        self.cluster.start()
        indices = range(self.cluster.nodes)
        self.proxy = Proxy(
            self._cache,
            [self.cluster.mqtt(index) for index in indices],
            _HOST,
            self._port,
            self.folder,
            self.plan.nodes + _SPARE,
        )
        enter(self.proxy)
        self.collectors = Collectors(self.cluster.source(), self.url, self.folder)
        enter(self.collectors)
        self.watch = Watch(self.proxy, self.collectors, self.network)
        enter(self.watch)
        self.versions = {"store": self.store.version(), "proxy": f"HAProxy {self.proxy.version()}"}

    def close(self) -> None:
        self._ends.close()

    def fleet(self, prefix: str) -> Fleet:
        """Nodes that come through the proxy, to be entered with `with`."""
        return Fleet(self.plan, prefix, f"mqtt://{_HOST}:{self._port}", self.folder)

    def usage(self, fleet: Fleet | None) -> Usage:
        """What each part has taken so far. fleet: None before there is one."""
        parts = {
            "nodes": fleet.pids if fleet else [],
            "proxy": [self.proxy.pid],
            "collectors": self.collectors.pids,
            "store": [self.store.pid] if self.store.pid else [],
        }
        return look(parts, self.network)

    def wait_until_all_are_there(self, fleet: Fleet, limit_s: float) -> float:
        """Seconds until every node has had a connection for two looks. Raises TimedOut."""
        begin = time.monotonic()
        seen = 0
        while seen < 2:
            fleet.require()
            self.collectors.require()
            if time.monotonic() - begin > limit_s:
                raise TimedOut(
                    f"{self.watch.open} of {self.plan.nodes} nodes are connected after "
                    f"{limit_s:g} s"
                )
            time.sleep(_LOOK_S)
            seen = seen + 1 if self.watch.open >= self.plan.nodes else 0
        return time.monotonic() - begin
