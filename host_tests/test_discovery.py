"""Home Assistant finds a node: its own rules hold for every sensor type, on a real broker too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import subscribe as paho_subscribe

from fieldpost import brokers
from fieldpost.home_assistant import problems
from firmware import config, schema_sensors
from firmware.discovery import Discovery, document, quantity
from micropython_port import ROOT, micropython, port_environment

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
NEEDED = {"pin": 4, "scl": 22, "sda": 21}


def settings_of(**keys: Any) -> dict[str, Any]:
    found = {"node": "roof", "mqtt": {"host": "h"}, "home_assistant": "homeassistant", **keys}
    settings, errors = config.check(found, SECRETS)
    assert settings and errors == []
    return settings


def fields_of(kind: str) -> list[str]:
    bare, _, rows = schema_sensors.TYPES[kind]
    defaults = {row[0]: row[2] for row in rows}
    names = [defaults[one[1:-1]] if one[0] == "{" else one for one in bare]
    return [name.replace("*", "28_0000") for name in names if name]


@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
@pytest.mark.parametrize("kind", sorted(schema_sensors.TYPES))
def test_the_document_of_every_sensor_type_is_what_home_assistant_accepts(
    kind: str, mode: str
) -> None:
    found = document(settings_of(mode=mode), fields_of(kind), "ESP32 MicroPython 1.27.0")
    assert problems(json.loads(json.dumps(found))) == []


def test_a_validator_that_accepts_everything_would_be_noticed() -> None:
    good = document(settings_of(), ["temperature"], "x")
    for path, value in (
        (("cmps", "temperature", "unit_of_meas"), "hPa"),
        (("cmps", "temperature", "dev_cla"), "warmth"),
        (("cmps", "temperature", "state_class"), "measurement"),
        (("cmps", "rssi", "ent_cat"), "config"),
        (("cmps", "rssi", "uniq_id"), "roof_temperature"),
        (("o", "name"), ""),
        (("dev", "ids"), ""),
        (("cmps", "identify", "p"), "knob"),
    ):
        bad = json.loads(json.dumps(good))
        at = bad
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        assert problems(bad), path


def test_a_sleeper_expires_by_its_real_interval_and_has_no_availability() -> None:
    found = document(
        settings_of(mode="duty_cycle", sample_s=300, deliver_every=4), ["temperature"], "x"
    )
    assert "avty_t" not in found
    assert 2 * 1200 < found["cmps"]["temperature"]["exp_aft"] < 4 * 1200


def test_quantities_are_told_by_the_end_of_a_name() -> None:
    assert quantity("inside_temperature") == ("temperature", "°C")
    assert quantity("temperature_28_0000") == ("temperature", "°C")
    assert quantity("value") == (None, None)


class Session:
    def __init__(self) -> None:
        self.published: list[tuple[bytes, bytes, bool, int]] = []

    def publish(self, topic: bytes, payload: bytes, retain: bool, qos: int) -> None:
        self.published.append((topic, payload, retain, qos))


def test_it_is_published_once_the_fields_are_known_and_again_at_home_assistants_birth() -> None:
    session, fields = Session(), []
    discovery = Discovery(session, settings_of(), lambda: fields, "x")
    discovery.step()
    assert session.published == []
    fields.append("temperature")
    discovery.step()
    discovery.step()
    ((topic, _, retain, qos),) = session.published
    assert (topic, retain, qos) == (b"homeassistant/device/roof/config", True, 1)
    discovery.receive(b"homeassistant/status", b"online", True)
    discovery.receive(b"homeassistant/status", b"offline", False)
    discovery.step()
    assert len(session.published) == 1
    discovery.receive(b"homeassistant/status", b"online", False)
    discovery.step()
    assert len(session.published) == 2


def test_a_node_on_a_real_broker_is_found_and_can_be_taken_out_again(tmp_path: Path) -> None:
    if brokers.find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with brokers.Broker("mosquitto") as broker:
        found = {
            "node": "roof",
            "boot_window_s": 0,
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
            "ntp": {"host": None},
            "sample_s": 1,
            "sensors": [{"type": "simulated"}],
            "home_assistant": "homeassistant",
        }
        (tmp_path / "config.json").write_text(json.dumps(found))
        (tmp_path / "secrets.json").write_text(json.dumps(SECRETS))
        node = subprocess.Popen(
            [micropython(), "-X", "heapsize=384K", str(ROOT / "main.py")],
            cwd=tmp_path,
            env=port_environment(),
            stdout=subprocess.DEVNULL,
        )
        topic = "homeassistant/device/roof/config"
        try:
            message = paho_subscribe.simple(topic, port=broker.port, qos=1)
        finally:
            node.kill()
            node.wait()
        assert problems(json.loads(message.payload)) == []
        command = [sys.executable, "-m", "fieldpost", "ha", "remove", "roof"]
        subprocess.run([*command, "--broker", broker.url], check=True, timeout=30)
        from fieldpost import mqtt_url
        from fieldpost.mqtt_client import Connection

        kept: list[bytes] = []
        connection = Connection(
            mqtt_url.parse(broker.url), on_message=lambda one: kept.append(one.payload)
        )
        connection.open()
        connection.subscribe("homeassistant/#", 1)
        connection.close()
        assert kept == []
