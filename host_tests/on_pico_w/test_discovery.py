"""The largest discovery message that a Pico W may have to make, made by the genuine image."""

from __future__ import annotations

import json
from typing import Any

import pytest
from paho.mqtt import subscribe
from rigs.pico_w import NODE, Desk, board_files, configuration

from fieldpost.messages.home_assistant import problems

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(120)]

_FREE_MIN = 90_000


def test_sixteen_sensors_are_announced_and_leave_the_node_its_heap() -> None:
    sensors: list[dict[str, Any]] = [
        {"type": "simulated", "seed": n, "name": f"s{n}", "prefix": True} for n in range(16)
    ]
    config = configuration(
        sensors=sensors, sample_s=2, health_s=10, home_assistant="homeassistant"
    )
    with Desk(board_files(config)) as desk:
        desk.wait(lambda: len(desk.account.delivered) >= 2, 60, "readings")
        port = desk.broker.port
        message = subscribe.simple(f"homeassistant/device/{NODE}/config", port=port, qos=1)
        document = json.loads(message.payload)
        desk.wait(lambda: len(desk.account.delivered) >= 8, 60, "readings after a health report")
        health = json.loads(subscribe.simple(f"fieldpost/{NODE}/health", port=port).payload)
    assert message.retain and problems(document) == []
    assert len([key for key in document["cmps"] if "." not in key]) == 32
    print(f"{len(message.payload)} bytes, {health['free']} free afterwards")
    assert len(message.payload) > 8_000
    assert health["free"] >= _FREE_MIN and health["reconnects"] == 0
    assert not [line for line in desk.console.lines if "MemoryError" in line]
