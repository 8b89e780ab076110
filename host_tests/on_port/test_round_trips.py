"""Two round trips, however many readings wait: counted on the way to a real broker.

Counted and not timed: the proxy says how often somebody had to wait for the other side. A busy
machine can add a ping, which the session sends because answers lag behind, and can have an answer
arrive before the node has come to wait for it, which is then none to count. So it is tried again
until a run was not disturbed; what is wrong with us is wrong in each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.mosquitto import need_mosquitto
from rigs.port import run_port
from rigs.port_node import library_of
from rigs.session import VERSIONS

from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.proxy import Connection, Proxy

ROUND_TRIP_MS = 50
SEGMENT_BYTES = 1400
RUNS_MAX = 12


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[Broker]:
    need_mosquitto("amqtt acknowledges one by one, at its own pace")
    with Broker("mosquitto") as broker:
        yield broker


def deliver(
    broker: Broker, folder: Path, version: str, count: int, round_trips: int, how: str = "early"
) -> tuple[Connection, dict[str, Any]]:
    """The connection as the proxy saw it, and the node's own report, of the first run that took so
    many round trips at most and of which both say the same; else of the last."""
    runs = 0
    while True:
        runs += 1
        with Proxy(broker.port, ROUND_TRIP_MS) as proxy:
            output = run_port(
                "deliver.py", str(proxy.port), str(count), how, first=library_of(version, folder)
            )
            seen, report = proxy.ended()[1], json.loads(output)
        undisturbed = report["round_trips"] == seen.round_trips <= round_trips
        if undisturbed or runs == RUNS_MAX:
            return seen, report


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [1, 50])
def test_readings_that_wait_take_two_round_trips_and_as_few_segments_as_their_bytes(
    mosquitto: Broker, tmp_path: Path, version: str, count: int
) -> None:
    seen, report = deliver(mosquitto, tmp_path, version, count, 2)
    assert seen.round_trips <= 2
    assert seen.segments <= seen.sent_bytes / SEGMENT_BYTES + 2
    # And the node knows: what it publishes of its deliveries is what crossed the network. The
    # proxy also saw DISCONNECT.
    assert report["round_trips"] == seen.round_trips
    assert report["segments"] == seen.segments - 1
    assert report["sent_bytes"] == seen.sent_bytes - 2
    print(f"{count} readings: {report['ms']} ms of {ROUND_TRIP_MS} ms round trips")


def test_waiting_for_connack_first_costs_one_more(mosquitto: Broker, tmp_path: Path) -> None:
    seen, report = deliver(mosquitto, tmp_path, "lib", 50, 3, "late")
    assert seen.round_trips == 3
    assert seen.segments <= seen.sent_bytes / SEGMENT_BYTES + 4
    assert report["sent_bytes"] == seen.sent_bytes - 2


def test_amqtt_takes_readings_that_travel_with_connect(tmp_path: Path) -> None:
    with Broker("amqtt") as broker:
        seen, _ = deliver(broker, tmp_path, "lib", 50, 3)
    assert seen.round_trips <= 3
    assert seen.segments <= seen.sent_bytes / SEGMENT_BYTES + 3
