"""Collectors at real clusters, each of one server: killed, several at once, with it or the store
away: each reading is there, once."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from rigs import collect_faults
from rigs.collecting import Collecting, Engine, Stream, settled
from rigs.nats_nodes import NatsNodes
from rigs.nats_server import Nats, need_nats
from rigs.rabbitmq import RabbitMq

from fieldpost.collect.sources.address import DEFAULT_QUEUE
from scale.nats import NatsCluster
from scale.network import Loopback

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
_KILLS = 8
_SETTLE_S = 20.0
_AT_ONCE = [1, 1, 2, 3]


class Shared(Engine, Protocol):
    """One from which several collectors read as one."""

    def waiting(self) -> int | None: ...


@pytest.fixture
def server() -> Iterator[Nats]:
    with Nats() as one:
        yield one


@pytest.fixture(params=["rabbitmq", "nats"])
def engine(request: pytest.FixtureRequest) -> Shared:
    return request.getfixturevalue("rabbit" if request.param == "rabbitmq" else "server")


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/readings.db"


def test_killed_at_moments_of_chance_it_has_each_once(engine: Shared, store: str) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    found = collect_faults.killed_often(engine, store, seed=seed, kills=10)
    assert found.is_exact and found.published > 1000, (seed, found)


def test_one_that_acknowledges_before_its_commit_is_found_out(engine: Shared, store: str) -> None:
    found = collect_faults.killed_often(engine, store, seed=1, kills=10, sabotaged=True)
    assert found.lost > 0, found


def test_two_share_what_comes_and_one_of_them_is_killed(engine: Shared, store: str) -> None:
    found = collect_faults.two_collectors(engine, store)
    assert found.is_exact and found.published > 1000, found


def test_a_store_that_is_away_for_a_while_costs_nothing(engine: Shared, store: str) -> None:
    found = collect_faults.store_away(engine, store, None, away_s=3)
    assert found.is_exact and found.published > 1000, found


def test_ended_in_order_while_the_store_is_away_it_has_acknowledged_nothing_of_the_rest(
    engine: Shared, store: str
) -> None:
    found = collect_faults.ended_while_the_store_is_away(engine, store)
    assert found.is_exact, found


def test_what_comes_while_nobody_is_there_waits_and_is_gone_when_it_is_stored(
    engine: Shared, store: str
) -> None:
    with Collecting(engine, store) as one:
        one.says("storing into")
        assert one.terminate() == 0, one.lines
    stream = Stream(engine, rate=1000)
    time.sleep(1)
    stream.end()
    assert engine.waiting() == len(stream.published)
    with Collecting(engine, store) as one:
        # A busy machine takes longer to start it than an account waits for the next reading.
        one.says("storing into")
        assert settled(store, stream).is_exact
        assert one.terminate() == 0, one.lines
    assert engine.waiting() == 0


# RabbitMQ alone ----------------------------------------------------------------------------------


def test_rabbitmq_that_restarts_costs_nothing(rabbit: RabbitMq, store: str) -> None:
    found = collect_faults.broker_restarted(rabbit, store, times=1)
    assert found.is_exact and found.published > 300, found


def test_a_queue_that_somebody_removes_is_made_again_and_told(
    rabbit: RabbitMq, store: str
) -> None:
    with Collecting(rabbit, store) as one:
        one.says("storing into")
        rabbit.forget()
        one.says("was it removed?")
        one.lines.clear()
        one.says("was made")
        one.says("connected to")
        stream = Stream(rabbit)
        time.sleep(0.5)
        stream.end()
        assert settled(store, stream).is_exact


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x-queue-type": "quorum"}, "x-delivery-limit: there is none: RabbitMQ 4 drops"),
        ({"x-queue-type": "quorum", "x-max-length": 9}, "x-max-length: of more than 9 readings"),
        ({}, "x-queue-type"),
    ],
)
def test_a_queue_that_may_drop_readings_is_told_of_and_read(
    rabbit: RabbitMq, store: str, arguments: dict[str, str], words: str
) -> None:
    with rabbit.channel() as channel:
        channel.queue_declare(DEFAULT_QUEUE, durable=True, arguments=arguments)
    with Collecting(rabbit, store) as one:
        one.says("storing into")
        assert any(words in line for line in one.lines), one.lines


def test_a_reading_that_comes_again_often_is_not_dropped(rabbit: RabbitMq, store: str) -> None:
    """Of a collector that dies each time before it has stored it."""
    with Collecting(rabbit, store) as one:
        one.says("storing into")
        assert one.terminate() == 0, one.lines
    with rabbit.channel() as channel:
        body = b'{"boot":1,"seq":0}'
        channel.confirm_delivery()
        channel.basic_publish("amq.topic", "fieldpost.n.telemetry", body)
    for time_before in range(30):
        with rabbit.channel() as channel:
            properties = _taken(channel)
            assert int((properties.headers or {}).get("x-delivery-count", 0)) == time_before
    assert rabbit.waiting() == 1


def _taken(channel: BlockingChannel) -> pika.BasicProperties:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        _, properties, _ = channel.basic_get(DEFAULT_QUEUE)
        if properties is not None:
            return properties
        time.sleep(0.02)
    raise AssertionError("the reading is gone")


# NATS alone --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """All that a collector needs of a cluster."""

    url: str


def three_servers() -> NatsCluster:
    need_nats()
    return NatsCluster(Loopback(), 3, ack_wait_s=2.0)


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
