"""What the firmware leaves of a genuine ESP32-C3 image's heap, and what it sends.

Each measurement is a JSON line; `pytest -s` shows them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.emulated import measure
from rigs.esp32_c3 import PORT, afresh, at_prompt, board_files, configuration

from fieldpost.mqtt.brokers import Broker

pytestmark = pytest.mark.timeout(240)

_READINGS = 50
_SENSORS = [{"type": "simulated"}]
# Measured: 82 to 86 kB; TLS takes 34 of them, and a file or a long message must find room.
_NODE_FREE_MIN = 70_000
_NODE_BLOCK_MIN = 25_000


@afresh
def test_fifty_readings_go_in_one_connection_and_the_node_leaves_its_heap(genuine: Path) -> None:
    files = board_files(configuration(sensors=_SENSORS), measure="measure.py")
    with (
        Broker("mosquitto") as broker,
        at_prompt(genuine, files, ports={PORT: broker.port}) as (board, link),
    ):
        found = measure(link, f"measure_node({_READINGS})")
        connections = [one for one in board.stats()["connections"] if one["sent"]["bytes"]]
    (connection,) = connections
    delivery = found["delivery"]
    assert delivery["readings"] == _READINGS and delivery["round_trips"] <= 2, delivery
    assert connection["sent"]["repeated"] == 0
    # umqtt.simple sends 4 for CONNECT and 5 for each reading.
    assert connection["sent"]["data_segments"] <= _READINGS / 3, connection
    assert found["steady"]["free"] >= _NODE_FREE_MIN, found
    assert found["steady"]["block"] >= _NODE_BLOCK_MIN, found
