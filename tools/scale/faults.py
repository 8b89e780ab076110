"""What is done to a rig while its nodes publish: one fault each, and how it ends."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scale.rig import Rig


@dataclass(frozen=True)
class Pace:
    """Seconds. away_s: that what is killed stays away. parted_s: that a link is cut. warm_s: from
    the moment when all nodes are connected until the fault; after_s: likewise after it."""

    away_s: float = 10.0
    parted_s: float = 20.0
    warm_s: float = 8.0
    after_s: float = 10.0


QUICK = Pace(away_s=2.0, parted_s=4.0, warm_s=2.0, after_s=3.0)


@dataclass(frozen=True)
class Fault:
    """name: for `--only`. title: for people. act: does it; returns when all runs again.

    nodes: brokers that it takes at least. needs_network: whether a link is cut.
    """

    name: str
    title: str
    act: Callable[[Rig, Pace], None]
    nodes: int = 1
    needs_network: bool = False

    @property
    def is_steady(self) -> bool:
        """Whether nothing happens at all: then it is measured what the parts take."""
        return self.act is _steady


def _steady(rig: Rig, pace: Pace) -> None:
    time.sleep(pace.parted_s)


def _storm(rig: Rig, pace: Pace) -> None:
    """All brokers end in order and come back, and every node has lost its connection."""
    _at_once(rig, rig.cluster.stop)
    time.sleep(pace.away_s)
    # A node may come to life only when a majority is there.
    _at_once(rig, rig.cluster.start_node)


def _at_once(rig: Rig, what: Callable[[int], None]) -> None:
    indices = range(rig.cluster.nodes)
    with ThreadPoolExecutor(len(indices)) as pool:
        for _ in pool.map(what, indices):
            pass


def _kill(rig: Rig, index: int, away_s: float) -> None:
    rig.cluster.kill(index)
    time.sleep(away_s)
    rig.cluster.start_node(index)


def _kill_leader(rig: Rig, pace: Pace) -> None:
    _kill(rig, rig.cluster.leader(), pace.away_s)


def _kill_another(rig: Rig, pace: Pace) -> None:
    _kill(rig, (rig.cluster.leader() + 1) % rig.cluster.nodes, pace.away_s)


def _kill_collector(rig: Rig, pace: Pace) -> None:
    rig.collectors.kill(0)
    time.sleep(pace.away_s)
    rig.collectors.start_one(0)


def _kill_store(rig: Rig, pace: Pace) -> None:
    rig.store.kill()
    time.sleep(pace.away_s)
    rig.store.start()


def _part(rig: Rig, pace: Pace) -> None:
    assert rig.network
    index = rig.cluster.leader()
    rig.network.cut(index)
    try:
        time.sleep(pace.parted_s)
    finally:
        rig.network.heal(index)


def _rolling(rig: Rig, pace: Pace) -> None:
    for index in range(rig.cluster.nodes):
        rig.cluster.stop(index)
        rig.cluster.start_node(index)
        time.sleep(pace.warm_s)


FAULTS = (
    Fault("steady", "steady load", _steady),
    Fault("storm", "all brokers restarted at once", _storm),
    Fault("kill-node", "SIGKILL of a broker that does not lead the queue", _kill_another, nodes=3),
    Fault("kill-leader", "SIGKILL of the broker that leads the queue", _kill_leader, nodes=3),
    Fault("kill-collector", "SIGKILL of a collector", _kill_collector),
    Fault("kill-store", "SIGKILL of PostgreSQL", _kill_store),
    Fault("partition", "the leader parted from the others", _part, nodes=3, needs_network=True),
    Fault("rolling", "all brokers restarted one after the other", _rolling, nodes=3),
)


def fitting(nodes: int, has_network: bool) -> list[Fault]:
    """Those that make sense for a cluster of so many nodes."""
    return [one for one in FAULTS if one.nodes <= nodes and (has_network or not one.needs_network)]
