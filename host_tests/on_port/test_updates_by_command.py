"""`fieldpost update` and the real firmware in MicroPython: from a release to proof, and back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage
from rigs.command_line import Ran
from rigs.port_node import wait_until
from rigs.update_keys import make_keys
from rigs.updated_node import (
    UpdatedNode,
    does_not_start,
    newer_tree,
    release_of,
    run_update,
)

from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.release.folder import Release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "keys")


class Bench:
    """A broker, and the readings that came."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.readings: list[tuple[int, int]] = []
        self._connection = Connection(mqtt_url.parse(broker.url), on_message=self._note)
        self._connection.open()
        self._connection.subscribe("fieldpost/port/telemetry", 1)

    def _note(self, message: MQTTMessage) -> None:
        told = json.loads(message.payload)
        self.readings.append((told["boot"], told["seq"]))

    def close(self) -> None:
        self._connection.close()

    def update(self, release: Release, *words: str) -> Ran:
        return run_update(self.broker.url, "port", release, *words)

    def missing(self) -> list[tuple[int, int]]:
        """Of each boot, the readings between the first and the last that did not come."""
        found = []
        for boot in {one for one, _ in self.readings}:
            numbers = {seq for one, seq in self.readings if one == boot}
            found += [(boot, seq) for seq in range(max(numbers)) if seq not in numbers]
        return found


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Broker() as broker:
        one = Bench(broker)
        yield one
        one.close()


def told(ran: Ran) -> dict[str, Any]:
    return json.loads(ran.out)["nodes"][0]


def test_a_node_that_is_awake_fetches_what_changed_proves_it_and_loses_no_reading(
    bench: Bench, keys: KeyFolder, tmp_path: Path
) -> None:
    given = keys.node_file()
    release = release_of(newer_tree(tmp_path / "new", "0.9.0"), keys)
    with UpdatedNode(tmp_path / "node", given, bench.broker.port) as node:
        wait_until(lambda: len(bench.readings) > 2, lambda: node.said)
        begin = time.monotonic()
        ran = bench.update(release)
        taken_s = time.monotonic() - begin
        assert ran.status == 0 and told(ran)["state"] == "done", (ran, node.said)
        # A piece that is waited for in vain costs ten seconds.
        assert taken_s < 9, node.said
        assert "0.9.0 has proven itself" in node.said
        assert (node.folder / "firmware.pack").read_bytes() == release.artefacts[0].data
        wait_until(lambda: max(bench.readings)[0] == 2 and max(bench.readings)[1] > 2)
        assert not bench.missing()
        again = bench.update(release)
        assert again.status == 0 and told(again)["state"] == "up to date"


def test_a_firmware_that_does_not_start_comes_back_and_the_command_says_why(
    bench: Bench, keys: KeyFolder, tmp_path: Path
) -> None:
    given = keys.node_file()
    release = release_of(newer_tree(tmp_path / "bad", "0.9.0", does_not_start), keys)
    with UpdatedNode(tmp_path / "node", given, bench.broker.port) as node:
        wait_until(lambda: bench.readings, lambda: node.said)
        before = (node.folder / "firmware.pack").read_bytes()
        ran = bench.update(release)
        assert ran.status == 1 and told(ran)["state"] == "back", (ran, node.said)
        assert "starts" in told(ran)["text"] and told(ran)["version"] == "0.1.0"
        assert (node.folder / "firmware.pack").read_bytes() == before
        # Nothing of it is looked at again.
        again = bench.update(release)
        assert told(again)["state"] == "back" and "--again" in told(again)["text"]
        count = len(bench.readings)
        wait_until(lambda: len(bench.readings) > count + 2)
        assert not bench.missing()


def test_what_another_key_signed_is_not_offered_to_a_node_that_tells_of_its_own(
    bench: Bench, keys: KeyFolder, tmp_path: Path
) -> None:
    theirs = make_keys(tmp_path / "x" / "keys", which=1)
    release = release_of(newer_tree(tmp_path / "new", "0.9.0"), theirs)
    with UpdatedNode(tmp_path / "node", keys.node_file(), bench.broker.port) as node:
        wait_until(lambda: bench.readings, lambda: node.said)
        ran = bench.update(release)
        assert ran.status == 1 and told(ran)["state"] == "unfit", (ran, node.said)
        assert "other keys" in told(ran)["text"] and told(ran)["have"] is None


def test_a_node_that_sleeps_finds_its_offer_at_its_next_delivery(
    bench: Bench, keys: KeyFolder, tmp_path: Path
) -> None:
    given = keys.node_file()
    release = release_of(newer_tree(tmp_path / "new", "0.9.0"), keys)
    sleeps = {"mode": "duty_cycle", "sample_s": 3, "deliver_every": 1, "awake_limit_s": 10}
    with UpdatedNode(tmp_path / "node", given, bench.broker.port, **sleeps) as node:
        # An offer that came within the wake that has begun would be found there.
        wait_until(lambda: "asleep for" in node.said, lambda: node.said)
        ran = bench.update(release)
        assert ran.status == 0 and told(ran)["state"] == "done", (ran, node.said)
        assert "asleep for" in node.said.partition("fetching")[0]
        assert node.record()["version"] == "0.9.0"
