"""Home Assistant finds a node: its own rules hold for every sensor type, on a real broker too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish as paho_publish
from paho.mqtt import subscribe as paho_subscribe
from rigs.commanded_node import Node
from rigs.field import NODE, Field
from rigs.port import micropython, port_environment
from rigs.port_node import Witness, wait_until

from fieldpost.messages.home_assistant import problems
from fieldpost.mqtt import brokers
from fieldpost.paths import ROOT
from firmware.config import check as config
from firmware.config import keys, keys_sensors
from firmware.remote import home_assistant
from firmware.remote.home_assistant import Discovery, payload, quantity

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
NEEDED = {"pin": 4, "scl": 22, "sda": 21}


def settings_of(**keys: Any) -> dict[str, Any]:
    found = {"node": "roof", "mqtt": {"host": "h"}, "home_assistant": "homeassistant", **keys}
    settings, errors = config.check(found, SECRETS)
    assert settings and errors == []
    return settings


def document(settings: dict[str, Any], fields: list[str], board: str = "x") -> dict[str, Any]:
    return json.loads(bytes(payload(settings, fields, board)))


def fields_of(kind: str) -> list[str]:
    declared = keys_sensors.declaration(kind)
    defaults = {row[0]: row[2] for row in declared.KEYS}
    bare = [row[0] for row in declared.FIELDS]
    names = [defaults[one[1:-1]] if one[0] == "{" else one for one in bare]
    return [name.replace("*", "28_0000") for name in names if name]


@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
@pytest.mark.parametrize("kind", keys_sensors.NAMES)
def test_the_document_of_every_sensor_type_is_what_home_assistant_accepts(
    kind: str, mode: str
) -> None:
    found = document(settings_of(mode=mode), fields_of(kind), "ESP32 MicroPython 1.27.0")
    assert problems(found) == []


def test_a_validator_that_accepts_everything_would_be_noticed() -> None:
    good = document(settings_of(), ["temperature"], "x")
    for path, value in (
        (("cmps", "temperature", "unit_of_meas"), "hPa"),
        (("cmps", "temperature", "dev_cla"), "warmth"),
        (("cmps", "temperature", "state_class"), "measurement"),
        (("cmps", "temperature", "p"), "binary_sensor"),
        (("cmps", "health.rssi", "ent_cat"), "config"),
        (("cmps", "health.rssi", "uniq_id"), "roof.temperature"),
        (("o", "name"), ""),
        (("dev", "ids"), ""),
        (("cmps", "cmd.identify", "p"), "knob"),
    ):
        bad = json.loads(json.dumps(good))
        at = bad
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        assert problems(bad), path


def test_a_sleeper_expires_by_its_real_interval_and_has_no_availability() -> None:
    sleeper = {"mode": "duty_cycle", "sample_s": 300, "deliver_every": 4}
    found = document(settings_of(**sleeper), ["temperature"])
    assert "avty_t" not in found
    assert 2 * 1200 < found["cmps"]["temperature"]["exp_aft"] < 4 * 1200
    assert found["cmps"]["set.deliver_every"]["max"] == 1000
    # With a low battery it delivers every fifth time only, and is not dead for that.
    low = settings_of(**sleeper, low_battery={"below_mv": 3300, "stretch": 5})
    assert document(low, ["temperature"])["cmps"]["temperature"]["exp_aft"] > 5 * 1200


def test_a_number_that_is_set_there_has_the_limits_that_the_node_will_take() -> None:
    parts = document(settings_of(mode="duty_cycle"), ["temperature"])["cmps"]
    limits = {row[0]: row[3:5] for row in keys.CONFIG}
    offered = {
        name[4:]: (part["min"], part["max"]) for name, part in parts.items() if "max" in part
    }
    assert set(offered) == {"sample_s", "deliver_every"}
    assert offered == {key: limits[key] for key in offered}


def test_quantities_are_told_by_the_end_of_a_name() -> None:
    assert quantity("inside_temperature") == ("temperature", "°C")
    assert quantity("temperature_28_0000") == ("temperature", "°C")
    assert quantity("value") == (None, None)
    # What another's driver calls by a word that begins as ours do is something else.
    assert quantity("power_on_hours") == quantity("pressure_raw") == (None, None)


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("door", "door"),
        ("back_garage_door", "garage_door"),
        ("cellar_moisture", "moisture"),
        ("tank_problem", "problem"),
        ("mains_power", "power"),
        ("lightness", None),
        ("contact", None),
    ],
)
def test_a_digital_input_is_told_by_the_end_of_its_name(field: str, kind: str | None) -> None:
    given = {"type": "digital", "pin": 4, "field": field}
    part = document(settings_of(sensors=[given]), [field])["cmps"][field]
    assert (part["p"], part.get("dev_cla")) == ("binary_sensor", kind)


def test_a_field_that_is_not_in_every_reading_keeps_its_value_until_something_fails() -> None:
    for every, missing in ((1, "none"), (2, "none if value_json.failed is defined else ''")):
        sensors = [{"type": "simulated", "every": every}]
        found = document(settings_of(sensors=sensors), ["temperature"])
        template = found["cmps"]["temperature"]["val_tpl"]
        assert template == "{{ value_json['temperature'] | default(" + missing + ") }}"


def test_the_message_lies_on_the_heap_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Counted(bytearray):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            sizes.append(size)

    monkeypatch.setattr(home_assistant, "bytearray", Counted, raising=False)
    made = payload(settings_of(), ["temperature"], "x")
    assert sizes == [len(made)], "no buffer that has to grow while there is hardly room"


def test_two_sensors_of_one_kind_are_told_apart_by_their_prefixes() -> None:
    sensors = [
        {"type": "bme280", "scl": 22, "sda": 21, "name": "inside", "prefix": True},
        {
            "type": "bme280",
            "scl": 22,
            "sda": 21,
            "address": "0x77",
            "name": "roof",
            "prefix": "r_",
        },
    ]
    fields = [start + name for start in ("inside_", "r_") for name in fields_of("bme280")]
    found = document(settings_of(sensors=sensors), fields)
    assert problems(found) == []
    parts = found["cmps"]
    assert parts["inside_pressure"]["unit_of_meas"] == parts["r_pressure"]["unit_of_meas"] == "hPa"
    assert parts["inside_humidity"]["name"] == "Inside humidity"
    assert "value_json['r_humidity']" in parts["r_humidity"]["val_tpl"]


def test_a_digital_input_is_a_binary_sensor_of_the_class_that_its_name_says() -> None:
    sensors = [
        {"type": "digital", "pin": 5, "field": "front_door"},
        {"type": "digital", "pin": 6, "name": "hall", "field": "motion", "prefix": True},
        {"type": "digital", "pin": 7, "name": "pump", "field": "pump"},
    ]
    found = document(settings_of(sensors=sensors), ["front_door", "hall_motion", "pump"])
    assert problems(found) == []
    parts = found["cmps"]
    kinds = [parts[name].get("dev_cla") for name in ("front_door", "hall_motion", "pump")]
    assert kinds == ["door", "motion", None]
    for name in ("front_door", "hall_motion", "pump"):
        assert parts[name]["p"] == "binary_sensor"
        # As lib/digital.py says it.
        assert (parts[name]["pl_on"], parts[name]["pl_off"]) == ("1", "0")


def test_whatever_a_driver_of_ones_own_calls_its_fields_the_message_is_valid() -> None:
    odd = ["pm2.5", "items", 'it\'s \\ "so"', "weiß", "rssi", "sample_s", "9lives", ""]
    found = document(settings_of(), odd)
    assert problems(found) == []
    assert [name for name in found["cmps"] if "." not in name or name == "pm2.5"] == odd
    assert found["cmps"]["pm2.5"]["val_tpl"].startswith("{{ value_json['pm2.5'] |")
    assert r"value_json['it\'s \\ " in found["cmps"][odd[2]]["val_tpl"]


def test_entities_of_two_nodes_never_share_an_id() -> None:
    one = document(settings_of(node="a_b"), ["c"])["cmps"]["c"]["uniq_id"]
    assert one != document(settings_of(node="a"), ["b_c"])["cmps"]["b_c"]["uniq_id"]


def test_the_node_itself_is_diagnosed_and_its_supply_too() -> None:
    found = document(settings_of(), ["supply_mv", "temperature"])["cmps"]
    for key in ("supply_mv", "health.rssi", "health.uptime_s", "health.outbox", "health.reset"):
        assert found[key]["ent_cat"] == "diagnostic"
    assert "ent_cat" not in found["temperature"]
    assert {key[4:] for key in found if key.startswith("cmd.")} == {
        "identify",
        "sample",
        "restart",
    }


def test_what_a_button_sends_is_a_command_that_the_node_takes() -> None:
    from firmware.remote.commands import Commands

    for key, part in document(settings_of(mode="duty_cycle"), ["x"])["cmps"].items():
        if "cmd_tpl" not in part:
            continue
        value = "debug" if part["p"] == "select" else "30"
        text = re.sub(
            r"{{ value.*?}}", value, part["cmd_tpl"].replace("{{ now().timestamp() }}", "1")
        )
        command = Commands._parse(text.encode(), False)
        assert hasattr(Commands, "do_" + command["do"])
        if key.startswith("set."):
            assert command["key"] == key[4:]
            assert f"value_json.{command['key']} " in part["val_tpl"]


class Board:
    def version(self) -> str:
        return "x"


class Sampler:
    """Of `readings`, the last is in force."""

    def __init__(self, readings: list[list[str]]) -> None:
        self._readings = readings

    @property
    def fields(self) -> list[str]:
        return self._readings[-1]


class Session:
    def __init__(self) -> None:
        self.published: list[tuple[bytes, bytes, bool, int]] = []
        self.waiting = False  # for an acknowledgement

    def waits(self) -> bool:
        return self.waiting

    def subscribe(self, topic: bytes) -> None:
        assert topic == b"homeassistant/status"

    def publish(self, topic: bytes, payload: bytes, retain: bool, qos: int) -> None:
        self.published.append((topic, payload, retain, qos))


def test_it_is_published_once_the_fields_are_known_and_again_at_home_assistants_birth() -> None:
    session, readings = Session(), [[]]
    discovery = Discovery(session, settings_of(), Sampler(readings), Board())
    discovery.step()
    assert session.published == []
    readings.append(["temperature"])
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


def test_a_sensor_that_comes_late_is_announced_and_one_that_fails_keeps_its_entity() -> None:
    session, readings = Session(), [["temperature"]]
    discovery = Discovery(session, settings_of(), Sampler(readings), Board())
    discovery.step()
    readings.append(["temperature", "humidity"])
    discovery.step()
    readings.append(["humidity"])
    discovery.step()
    assert len(session.published) == discovery.described == 2
    assert {"temperature", "humidity"} <= json.loads(session.published[-1][1])["cmps"].keys()


def test_it_is_sent_again_on_the_next_connection_until_it_was_acknowledged() -> None:
    session, readings = Session(), [["temperature"]]
    discovery = Discovery(session, settings_of(), Sampler(readings), Board())
    for sent in (1, 2):
        session.waiting = sent == 2  # The status is out, too.
        discovery.restart()
        discovery.step()
        session.waiting = True
        discovery.step()
        assert len(session.published) == sent and discovery.described == 0, (
            "or a sleep would keep it"
        )
        # And here the connection breaks.
    discovery.restart()
    discovery.step()
    session.waiting = False
    discovery.step()
    discovery.restart()
    discovery.step()
    assert len(session.published) == 3 and discovery.described == 1


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_sleeping_node_whose_message_has_arrived_sends_it_no_more(port: str) -> None:
    field = Field(port, [{"type": "simulated"}], hours=2, home_assistant="homeassistant")
    sent: list[bytes] = []
    field.run.broker.watch(
        f"homeassistant/device/{NODE}/config", lambda record: sent.append(record.payload)
    )
    field.run.play()
    assert len(sent) == 1 and len(field.readings) > 20


def test_a_wake_from_deep_sleep_announces_only_what_was_not_told_yet() -> None:
    session, reading, more = Session(), ["temperature"], ["temperature", "pressure"]
    Discovery(session, settings_of(), Sampler([reading]), Board(), {"described": 2}).step()
    Discovery(session, settings_of(), Sampler([reading]), Board(), {"described": 1}).step()
    assert session.published == []
    Discovery(session, settings_of(), Sampler([more]), Board(), {"described": 1}).step()
    assert len(session.published) == 1


def test_what_home_assistant_asked_for_in_a_wake_that_failed_is_sent_in_a_later_one() -> None:
    """Its birth message comes once, and not again to a later wake."""
    session, reading = Session(), ["temperature"]
    discovery = Discovery(session, settings_of(), Sampler([reading]), Board(), {"described": 1})
    discovery.receive(b"homeassistant/status", b"online", False)
    state = {"described": discovery.described}  # The connection ended before anything was done.
    Discovery(session, settings_of(), Sampler([reading]), Board(), state).step()
    assert len(session.published) == 1


def test_the_largest_message_is_bounded() -> None:
    sensors = [
        {"type": "bme280", "bus": 0, "scl": 22, "sda": 21, "name": "b" * 23, "prefix": True},
        *({"type": "digital", "pin": n, "name": f"n{n:022d}", "prefix": True} for n in range(15)),
    ]
    name = "a" * 32
    settings = settings_of(node=name, mode="duty_cycle", sensors=sensors)
    settings["mqtt"]["base"] = "b" * 64
    # Sixteen sensors of three fields with the longest names that the schema allows.
    fields = [f"{n:048d}" for n in range(48)]
    assert len(payload(settings, fields, "ESP32S3 MicroPython 1.29.0")) < 24000
    assert len(payload(settings_of(), fields_of("bme280"), "RP2040 MicroPython 1.29.0")) < 4000


def test_a_node_on_a_real_broker_is_found_and_can_be_taken_out_again(tmp_path: Path) -> None:
    with brokers.Broker() as broker:
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
        from fieldpost.mqtt import url as mqtt_url
        from fieldpost.mqtt.client import Connection

        kept: list[bytes] = []
        connection = Connection(
            mqtt_url.parse(broker.url), on_message=lambda one: kept.append(one.payload)
        )
        connection.open()
        connection.subscribe("homeassistant/#", 1)
        connection.close()
        assert kept == []


def test_it_is_sent_again_when_a_setting_changes_and_when_home_assistant_starts(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    node = Node(tmp_path, "attic", broker, home_assistant="homeassistant")
    with Witness(broker.port) as witness:
        try:
            node.start()
            topic = "homeassistant/device/attic/config"
            wait_until(lambda: len(witness.said(topic)) == 1)
            assert node.tell("set", key="sample_s", value=30)["ok"]
            wait_until(lambda: len(witness.said(topic)) == 2)
            paho_publish.single("homeassistant/status", "online", qos=1, port=broker.port)
            wait_until(lambda: len(witness.said(topic)) == 3)
            # What the number entity shows is told at once, too.
            wait_until(lambda: witness.said("fieldpost/attic/health")[-1]["sample_s"] == 30)
        finally:
            node.close()
    first, second, third = (one["cmps"]["temperature"]["exp_aft"] for one in witness.said(topic))
    assert (first, second, third) == (63, 150, 150)
