"""Collectors at a real NATS: killed, several at once, with it or the store away: each reading is
there, once."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rigs import collect_faults
from rigs.collecting import Collecting, Stream, settled
from rigs.nats_nodes import NatsNodes
from rigs.nats_server import Nats

from fieldpost.errors import MissingTool
from scale.nats import NatsCluster, program
from scale.network import Loopback

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
_KILLS = 8
_SETTLE_S = 20.0
_AT_ONCE = [1, 1, 2, 3]


@dataclass(frozen=True)
class Address:
    """All that a collector needs of a cluster."""

    url: str


def three_servers() -> NatsCluster:
    try:
        program()
    except MissingTool as missing:
        pytest.skip(str(missing))
    return NatsCluster(Loopback(), 3, ack_wait_s=2.0)


@pytest.fixture
def server() -> Iterator[Nats]:
    with Nats() as one:
        yield one


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/readings.db"


def test_killed_at_moments_of_chance_it_has_each_once(server: Nats, store: str) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    found = collect_faults.killed_often(server, store, seed=seed, kills=10)
    assert found.is_exact and found.published > 1000, (seed, found)


def test_one_that_acknowledges_before_its_commit_is_found_out(server: Nats, store: str) -> None:
    found = collect_faults.killed_often(server, store, seed=1, kills=10, sabotaged=True)
    assert found.lost > 0, found


def test_two_share_the_consumer_and_one_of_them_is_killed(server: Nats, store: str) -> None:
    found = collect_faults.two_collectors(server, store)
    assert found.is_exact and found.published > 1000, found


def test_a_server_that_is_killed_at_moments_of_chance_loses_nothing(
    server: Nats, store: str
) -> None:
    """What it has acknowledged to nodes it has, and nodes send the rest again."""
    with Collecting(server, store) as one:
        one.says("storing into")
        stream = Stream(server)
        try:
            for _ in range(_KILLS):
                time.sleep(0.2 + secrets.randbelow(1000) / 1000)
                server.kill()
                server.start()
            time.sleep(0.5)
            stream.end()
        finally:
            stream.abandon()
        found = settled(store, stream)
    assert found.is_exact and found.published > 1000, found


def test_a_store_that_is_away_for_a_while_costs_nothing(server: Nats, store: str) -> None:
    found = collect_faults.store_away(server, store, None, away_s=3)
    assert found.is_exact and found.published > 1000, found


def test_ended_in_order_while_the_store_is_away_it_has_acknowledged_nothing_of_the_rest(
    server: Nats, store: str
) -> None:
    found = collect_faults.ended_while_the_store_is_away(server, store)
    assert found.is_exact, found


def test_what_comes_while_nobody_is_there_waits_and_is_gone_when_it_is_stored(
    server: Nats, store: str
) -> None:
    stream = Stream(server, rate=1000)
    time.sleep(1)
    stream.end()
    assert server.waiting() == len(stream.published)
    with Collecting(server, store) as one:
        assert settled(store, stream).is_exact
        assert one.terminate() == 0, one.lines
    assert server.waiting() == 0


@pytest.mark.long
def test_a_cluster_whose_servers_are_killed_at_moments_of_chance_loses_nothing(
    store: str,
) -> None:
    """The one that leads the stream more often than another, once two, and once all at once."""
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with three_servers() as three:
        address = Address(three.source())
        with Collecting(address, store) as one, Collecting(address, store) as two:
            one.says("storing into")
            two.says("storing into")
            nodes = NatsNodes(three, seed)
            try:
                for count in chance.sample(_AT_ONCE, len(_AT_ONCE)):
                    time.sleep(chance.uniform(0.5, 3.0))
                    killed = {three.leader()} if chance.random() < 0.6 else set()
                    killed |= set(chance.sample(range(3), count))
                    for index in killed:
                        three.kill(index)
                    time.sleep(chance.choice([0.0, 0.5, 3.0]))
                    three.start_nodes(killed)
                nodes.end()
            finally:
                nodes.abandon()
            found = settled(store, nodes)
            assert found.is_exact and found.published > 500, (seed, found)
            end = time.monotonic() + _SETTLE_S
            while three.waiting():
                assert time.monotonic() < end, three.waiting()
                time.sleep(0.2)
