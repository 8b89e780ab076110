"""What is measured as an hour of a fleet is one, and the collector has all of it afterwards."""

from __future__ import annotations

import collections
import json
from pathlib import Path

import pytest
from rigs import collect_hour
from rigs.collecting import LOSES_NOTHING, Collecting

from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import Broker


def test_an_hour_has_the_messages_of_an_hour() -> None:
    nodes = 20
    kinds = collections.Counter[str]()
    keys: set[tuple[str, int]] = set()
    for _, (topic, payload, _, _), kind in collect_hour.messages(nodes):
        kinds[kind] += 1
        if kind == "readings":
            keys.add((topic, json.loads(payload)["seq"]))
    assert kinds["readings"] == nodes * 360 == len(keys)
    # Two states and an answer each half hour, and a report each five minutes.
    assert kinds["events"] == nodes * (2 * 2 + 2 + 12)
    assert kinds["conflicts"] == kinds["rejected"] == nodes * 360 // 500


@pytest.mark.slow
@pytest.mark.skipif(brokers.find_mosquitto() is None, reason="Mosquitto is not installed")
def test_all_of_it_is_stored_as_what_it_is(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    with Broker("mosquitto", more=LOSES_NOTHING) as broker, Collecting(broker, store) as one:
        one.says("storing into")
        hour = collect_hour.watched(broker, store, one, nodes=50, quicker=30.0, seconds=150)
    assert hour.stored == hour.published
    assert hour.published.readings == 750 and hour.published.rejected == 1
    assert 20 < hour.early_mb <= hour.most_mb < 200
