"""Nodes at a cluster of NATS, some of whose servers are killed: each goes to another then, and
sends again what was not acknowledged."""

from __future__ import annotations

import collections
import random
import threading
import time

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient, Refused
from scale.cluster import Cluster

_ANYBODY = Account("", "", (), ())
_WINDOW = 8
_SILENT_S = 8.0
_PAUSE_S = 0.2
_EACH_S = 0.02
_END_S = 90.0


class NatsNodes:
    """`published`: the keys of the readings that a server has acknowledged. They publish until
    `end`."""

    def __init__(self, cluster: Cluster, seed: int, nodes: int = 4) -> None:
        self._cluster = cluster
        self._end = threading.Event()
        self._given_up = threading.Event()
        self.published: set[tuple[str, int, int]] = set()
        chances = [random.Random(seed + node) for node in range(nodes)]
        self._threads = [
            threading.Thread(target=self._live, args=(f"node-{node}", chance), daemon=True)
            for node, chance in enumerate(chances)
        ]
        for one in self._threads:
            one.start()

    def end(self) -> None:
        """Take no more readings, and wait until all are acknowledged."""
        self._end.set()
        end = time.monotonic() + _END_S
        for one in self._threads:
            one.join(max(0.0, end - time.monotonic()))
        assert not any(one.is_alive() for one in self._threads), "a node can't deliver"

    def abandon(self) -> None:
        """Publish no more, whatever became of it."""
        self._end.set()
        self._given_up.set()

    def _live(self, name: str, chance: random.Random) -> None:
        taken = 0
        waiting: collections.deque[int] = collections.deque()
        while not self._given_up.is_set() and (waiting or not self._end.is_set()):
            host, port = self._cluster.mqtt(chance.randrange(self._cluster.nodes))
            try:
                with ProbeClient(port, host=host) as client:
                    client.open(name, _ANYBODY, clean=False)
                    taken = self._deliver(client, name, waiting, taken)
            except (OSError, Refused):
                pass
            self._given_up.wait(_PAUSE_S)

    def _deliver(
        self, client: ProbeClient, name: str, waiting: collections.deque[int], taken: int
    ) -> int:
        """On one connection. waiting: readings that are not acknowledged, the oldest first. Gives
        how many were taken so far."""
        topic = f"fieldpost/{name}/telemetry"
        client.seen.clear()
        sent: dict[int, int] = {}
        heard = time.monotonic()
        for packet_id in range(1, 60000):
            if not self._end.is_set():
                waiting.append(taken)
                taken += 1
            unsent = [one for one in waiting if one not in sent.values()]
            if unsent and len(sent) < _WINDOW:
                sent[packet_id] = unsent[0]
                payload = b'{"boot":1,"seq":%d}' % unsent[0]
                client.send(packets.publish(topic, payload, packet_id))
            client.wait(lambda: bool(client.seen), _EACH_S)
            for answer in client.of("PUBACK"):
                seq = sent.pop(int.from_bytes(answer.body[:2], "big"))
                waiting.remove(seq)
                self.published.add((name, 1, seq))
                heard = time.monotonic()
            client.seen.clear()
            is_done = self._end.is_set() and not waiting
            if is_done or client.closed or time.monotonic() - heard > _SILENT_S:
                break
            if self._given_up.is_set():
                break
        return taken
