"""What keeps a fleet from coming all at once, in MicroPython: phases of batches, and the pace."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from paho.mqtt import publish
from rigs.mosquitto import need_mosquitto
from rigs.port_node import PortNode, configuration, wait_until

from fieldpost.mqtt.brokers import Broker

DELIVER_EVERY = 2


def batches(node: PortNode) -> list[int]:
    """How many readings each delivery had, as the console says."""
    lines = [line for line in list(node.lines) if "delivered " in line]
    return [int(line.partition("delivered ")[2].split()[0]) for line in lines]


def started(folder: Path, port: int, name: str) -> PortNode:
    config = configuration(
        port,
        node=name,
        mode="duty_cycle",
        deliver_every=DELIVER_EVERY,
        pace=True,
        health_s=86_400,
    )
    return PortNode(folder / name, config)


@pytest.mark.slow
def test_batches_of_nodes_lie_apart_and_grow_by_the_pace_that_is_asked_for(tmp_path: Path) -> None:
    """By CRC-32 the first batch after a start's own delivery is short by one of `a`, and whole of
    `d`."""
    need_mosquitto("amqtt may not hand on what is retained")
    with (
        Broker("mosquitto") as broker,
        started(tmp_path, broker.port, "a") as short,
        started(tmp_path, broker.port, "d") as whole,
    ):
        wait_until(lambda: len(batches(short)) >= 3 and len(batches(whole)) >= 3)
        hint = json.dumps({"factor": 2, "until": int(time.time()) + 600})
        publish.single("fieldpost/pace", hint, qos=1, retain=True, port=broker.port)
        for node in short, whole:
            node.says("pace: 2 times as slow")
            wait_until(lambda node=node: max(batches(node)) > DELIVER_EVERY)
        seen = batches(short), batches(whole)
    assert (seen[0][:3], seen[1][:3]) == ([1, 1, 2], [1, 2, 2])
    for counts in seen:
        # The hint comes with a batch of the old size, and may come behind it.
        grown = counts.index(2 * DELIVER_EVERY)
        assert set(counts[3:grown]) <= {DELIVER_EVERY}, counts
