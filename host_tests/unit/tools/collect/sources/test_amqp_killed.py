"""Collectors at a real RabbitMQ: killed, several at once, with it or the store away: each reading
is there, once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from rigs import collect_faults
from rigs.collecting import Collecting, Stream, settled
from rigs.rabbitmq import RabbitMq

from fieldpost.collect.sources.address import DEFAULT_QUEUE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def running() -> Iterator[RabbitMq]:
    with RabbitMq() as one:
        yield one


@pytest.fixture
def rabbit(running: RabbitMq) -> Iterator[RabbitMq]:
    yield running
    running.forget()


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/readings.db"


def test_killed_at_moments_of_chance_it_has_each_once(rabbit: RabbitMq, store: str) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    found = collect_faults.killed_often(rabbit, store, seed=seed, kills=10)
    assert found.is_exact and found.published > 1000, (seed, found)


def test_one_that_acknowledges_before_its_commit_is_found_out(
    rabbit: RabbitMq, store: str
) -> None:
    found = collect_faults.killed_often(rabbit, store, seed=1, kills=10, sabotaged=True)
    assert found.lost > 0, found


def test_two_share_the_queue_and_one_of_them_is_killed(rabbit: RabbitMq, store: str) -> None:
    found = collect_faults.two_collectors(rabbit, store)
    assert found.is_exact and found.published > 1000, found


def test_rabbitmq_that_restarts_costs_nothing(rabbit: RabbitMq, store: str) -> None:
    found = collect_faults.broker_restarted(rabbit, store, times=1)
    assert found.is_exact and found.published > 300, found


def test_a_store_that_is_away_for_a_while_costs_nothing(rabbit: RabbitMq, store: str) -> None:
    found = collect_faults.store_away(rabbit, store, None, away_s=3)
    assert found.is_exact and found.published > 1000, found


def test_ended_in_order_while_the_store_is_away_it_has_acknowledged_nothing_of_the_rest(
    rabbit: RabbitMq, store: str
) -> None:
    found = collect_faults.ended_while_the_store_is_away(rabbit, store)
    assert found.is_exact, found


def test_what_comes_while_nobody_is_there_waits_and_is_gone_when_it_is_stored(
    rabbit: RabbitMq, store: str
) -> None:
    with Collecting(rabbit, store) as one:
        one.says("storing into")
        assert one.terminate() == 0, one.lines
    stream = Stream(rabbit, rate=1000)
    time.sleep(1)
    stream.end()
    assert rabbit.waiting() == len(stream.published)
    with Collecting(rabbit, store) as one:
        assert settled(store, stream).is_exact
        assert one.terminate() == 0, one.lines
    assert rabbit.waiting() == 0


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
