"""A cluster of one on loopback: a single server of an engine, as it is where it is installed."""

from __future__ import annotations

from collections.abc import Sequence

from fieldpost.mqtt.brokers import HOST
from fieldpost.processes.started import Started
from scale.cluster import Cluster


class Here:
    """Both sides of it are on loopback."""

    def client_address(self, index: int) -> str:
        return HOST

    def peer_address(self, index: int) -> str:
        return HOST

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        return list(argv)


class OneServer(Started):
    """url: for `fieldpost collect --from`. port: of MQTT. It keeps both over a stop and a
    start."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.url = cluster.source()
        self.port = cluster.mqtt(0)[1]
        self._has_run = False

    def start(self) -> None:
        if self._has_run:
            self._cluster.start_node(0)
        else:
            self._has_run = True
            self._cluster.start()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._cluster.stop(0)

    def kill(self) -> None:
        """SIGKILL."""
        self._cluster.kill(0)

    def close(self) -> None:
        self._cluster.close()

    def waiting(self) -> int | None:
        """Messages that no collector has acknowledged."""
        return self._cluster.waiting()
