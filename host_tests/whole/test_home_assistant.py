"""A node, an outage, and a real Home Assistant: late readings stand at their own hours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage
from rigs.home_assistant import RealHomeAssistant, clock_server, need_home_assistant
from rigs.mosquitto import need_mosquitto
from rigs.port_node import PortNode, configuration, wait_until

from fakes.home_assistant import TOKEN, FakeHomeAssistant
from fieldpost.home_assistant.websocket import HomeAssistant, Refused
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.paths import ROOT

HOUR_S = 3600
NODE = "port"
# The node's clock reaches a full hour so long after the test's begin.
_BEFORE_S = 12


def fieldpost(home: RealHomeAssistant, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fieldpost", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tools"),
            "COLUMNS": "200",
            "FIELDPOST_HA_URL": home.url,
            "FIELDPOST_HA_TOKEN": home.token,
        },
    )


def entity_id(home: HomeAssistant, unique_id: str) -> str | None:
    """By the registry, once the discovery message is there."""
    for one in home.ask("config/entity_registry/list"):
        if one["unique_id"] == unique_id:
            return one["entity_id"]
    return None


def rows(home: HomeAssistant, statistic_id: str, first_s: int) -> dict[int, dict[str, Any]]:
    """What Home Assistant has of the three hours from `first_s` on."""
    stamps = [
        time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
        for at in (first_s, first_s + 3 * HOUR_S)
    ]
    found = home.ask(
        "recorder/statistics_during_period",
        start_time=stamps[0],
        end_time=stamps[1],
        statistic_ids=[statistic_id],
        period="hour",
    )
    return {one["start"] // 1000: one for one in found.get(statistic_id, [])}


def _listened(message: MQTTMessage) -> str:
    """As `fieldpost listen --json` writes it."""
    told = {"topic": message.topic, "qos": message.qos, "payload": message.payload.decode()}
    return json.dumps(told) + "\n"


def _check_fake(home: HomeAssistant, statistic_id: str, start_s: int) -> None:
    """What the fast tests' Home Assistant answers has no key that the real one's lacks."""
    with FakeHomeAssistant() as fake:
        fake.entity(f"{NODE}.temperature", statistic_id, "°C", has_statistics=True)
        fake.rows[statistic_id][start_s] = (1.0, 0.0, 2.0)
        with HomeAssistant(fake.url, TOKEN) as pretended:
            for ask in (
                lambda of: of.ask("config/entity_registry/list"),
                lambda of: of.ask("get_states"),
                lambda of: of.ask(
                    "recorder/get_statistics_metadata", statistic_ids=[statistic_id]
                ),
                lambda of: list(rows(of, statistic_id, start_s).values()),
            ):
                pretends, really = ask(pretended), ask(home)
                assert pretends and really
                assert any(pretends[0].keys() <= one.keys() for one in really), (pretends, really)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("units", ["metric", pytest.param("us_customary", marks=pytest.mark.long)])
def test_late_readings_stand_at_their_own_hours(tmp_path: Path, units: str) -> None:
    need_home_assistant()
    need_mosquitto("Home Assistant's client and amqtt are not what this is about")
    real = RealHomeAssistant(tmp_path / "home", units)
    log = tmp_path / "readings.jsonl"
    with Broker("mosquitto", persistence=True) as broker, real.running(broker.port) as home:
        # The node's clock is hours behind, and goes over a full hour soon.
        now = time.time()
        full = int(now // HOUR_S - 4) * HOUR_S
        keys = {"ntp": {"host": "127.0.0.1"}, "home_assistant": "homeassistant", "node": NODE}
        messages: list[MQTTMessage] = []
        # Its session outlives the outage: the node may be back before it.
        witness = Connection(
            mqtt_url.parse(f"127.0.0.1:{broker.port}"),
            on_message=messages.append,
            client_id="witness",
            clean=False,
        )
        witness.open()
        witness.subscribe(f"fieldpost/{NODE}/telemetry", 1)
        try:
            with (
                clock_server(full - _BEFORE_S - now),
                PortNode(tmp_path / "node", configuration(broker.port, **keys)) as node,
            ):
                wait_until(lambda: entity_id(home, f"{NODE}.temperature"))
                broker.stop()
                stored = len(node.taken())
                over = now + _BEFORE_S + 4
                wait_until(lambda: time.time() > over and len(node.taken()) >= stored + 4)
                broker.start()
                wait_until(lambda: len(messages) >= len(node.taken()) - 1)
        finally:
            witness.close()
        log.write_text("".join(_listened(one) for one in messages))
        readings = [json.loads(json.loads(line)["payload"]) for line in log.open()]
        by_hour: dict[int, list[float]] = {}
        for one in readings:
            # Before it had asked for the time, it took the machine's: an hour that is not over.
            if one["ts"] > full + HOUR_S:
                continue
            by_hour.setdefault(one["ts"] // HOUR_S * HOUR_S, []).append(one["temperature"])
        assert set(by_hour) == {full - HOUR_S, full}

        statistic_id = entity_id(home, f"{NODE}.temperature")
        assert statistic_id
        assert rows(home, statistic_id, full - HOUR_S) == {}
        tried = fieldpost(real, "ha", "import", str(log), "--dry-run")
        assert tried.returncode == 0, tried.stderr
        assert rows(home, statistic_id, full - HOUR_S) == {}

        done = fieldpost(real, "ha", "import", str(log), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        told = {one["field"]: one for one in json.loads(done.stdout)["fields"]}
        assert told["temperature"]["added"] == sorted(by_hour)
        assert told["temperature"]["unit"] == ("°C" if units == "metric" else "°F")
        there = rows(home, statistic_id, full - HOUR_S)
        for start, values in by_hour.items():
            expected = [sum(values) / len(values), min(values), max(values)]
            if units != "metric":
                expected = [value * 1.8 + 32 for value in expected]
            found = [there[start][key] for key in ("mean", "min", "max")]
            assert found == pytest.approx(expected, abs=1e-6)
        assert set(there) == set(by_hour)

        again = fieldpost(real, "ha", "import", str(log), "--json")
        told = {one["field"]: one for one in json.loads(again.stdout)["fields"]}
        assert told["temperature"]["same"] == sorted(by_hour)
        assert all(not one["added"] and not one["replaced"] for one in told.values())
        assert rows(home, statistic_id, full - HOUR_S) == there

        _check_fake(home, statistic_id, full)

        wrong = real.token
        real.token = "wrong"
        assert "refuses the token" in fieldpost(real, "ha", "import", str(log)).stderr
        real.token = wrong
        with pytest.raises(Refused) as caught:
            home.ask("recorder/import_statistics", metadata={"unheard_of": 1}, stats=[])
        assert caught.value.reason == "invalid_format"
