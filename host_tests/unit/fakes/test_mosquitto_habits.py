"""The habits that Mosquitto has by its settings: the broker in memory has the same, byte by byte.

Mosquitto's answers are recorded; where it is installed, the record is compared with it.
"""

import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rigs.broker_answers import (
    PING,
    WILL,
    Bytes,
    Step,
    after_connect,
    all_real_answers,
    connect,
    fake_answers,
    joined,
    mosquitto,
    named,
    publish,
    string,
    subscribe,
    write_record,
)
from rigs.mosquitto import PLUGIN, dynamic_security, need_mosquitto

from fakes.habits import Habits
from fakes.mqtt_packets import packet
from fieldpost.mqtt.brokers import find_mosquitto

RECORDED = Path(__file__).with_name("mosquitto_habits.json")
_PACKET_MAX = 60


class Setting(NamedTuple):
    """Lines and files of Mosquitto's configuration, the habits they make, and what shows them."""

    lines: str
    files: dict[str, str]
    habits: Habits
    cases: dict[str, list[Step]]


def _will(qos: int, retain: int) -> list[Step]:
    return [("a", connect(flags=4 | qos << 3 | retain << 5, extra=WILL)), ("a", PING)]


def _sized(remaining: int) -> bytes:
    topic = string(b"{id}/t")
    return packet(0x30, topic + bytes(remaining - len(topic)))


def _on(topic: bytes, first: int = 0x32) -> bytes:
    return publish(b"x", first, b"{id}/" + topic)


def _subscribe_all(*patterns: bytes) -> bytes:
    return packet(0x82, b"\x00\x06" + b"".join(string(one) + b"\x01" for one in patterns))


_PERMISSIONS: dict[str, list[Step]] = {
    "granted": after_connect(subscribe(b"{id}/both"), _on(b"both")),
    "denied-publish-0": after_connect(_on(b"none", 0x30)),
    "denied-publish-1": after_connect(_on(b"none")),
    "denied-publish-2": after_connect(_on(b"none", 0x34), b"\x62\x02\x00\x01"),
    "denied-retained": [
        ("a", connect()),
        ("a", _on(b"none", 0x33)),
        ("b", connect(b"{id}-b")),
        ("b", subscribe(b"{id}/none")),
    ],
    "denied-subscribe": after_connect(subscribe(b"{id}/write"), _on(b"write")),
    "denied-one-of-two": after_connect(
        packet(
            0x82, b"\x00\x06" + string(b"{id}/both") + b"\x01" + string(b"{id}/none") + b"\x01"
        ),
        _on(b"both"),
    ),
    "denied-will": [
        ("b", connect(b"{id}-b") + subscribe(b"{id}/both") + subscribe(b"{id}/none", pid=6)),
        ("a", connect(flags=0x04, extra=string(b"{id}/none") + string(b"gone"))),
        ("a", None),
        ("b", PING),
    ],
}
_DENIED = {"publish_denied": ("+/none",), "subscribe_denied": ("+/none", "+/write")}
_DYNAMIC = dynamic_security(
    ("publishClientSend", "+/both"),
    ("publishClientSend", "+/write"),
    ("subscribePattern", "+/both"),
)

SETTINGS = {
    "acl-file": Setting(
        "acl_file {folder}/acl\n",
        {"acl": "topic readwrite +/both\ntopic write +/write\n"},
        Habits(**_DENIED, on_subscribe="grant"),
        _PERMISSIONS,
    ),
    "dynamic-security": Setting(
        f"plugin {PLUGIN}\nplugin_opt_config_file {{folder}}/roles.json\n",
        {"roles.json": json.dumps(_DYNAMIC)},
        Habits(**_DENIED, on_subscribe="refuse"),
        _PERMISSIONS,
    ),
    "max-packet-size": Setting(
        f"max_packet_size {_PACKET_MAX}\n",
        {},
        Habits(packet_max=_PACKET_MAX, unread_resets=True),
        {
            "largest": after_connect(_sized(_PACKET_MAX - 1)),
            "too-large": after_connect(_sized(_PACKET_MAX)),
            "far-too-large": after_connect(_sized(4000)),
            "connect-too-large": [("a", connect(flags=4, extra=string(b"t") + string(b"x" * 60)))],
        },
    ),
    "retain-available": Setting(
        "retain_available false\n",
        {},
        Habits(retained_max=-1),
        {
            "not-retained": after_connect(_on(b"t")),
            "retained-0": after_connect(_on(b"t", 0x31)),
            "retained-1": after_connect(_on(b"t", 0x33)),
            "retained-empty": after_connect(publish(b"", 0x31)),
            "will": _will(1, 0),
            "will-retained": _will(0, 1),
            "will-retained-1": _will(1, 1),
        },
    ),
    "max-qos-0": Setting(
        "max_qos 0\n",
        {},
        Habits(qos_max=0),
        {
            "publish-0": after_connect(_on(b"t", 0x30)),
            "publish-1": after_connect(_on(b"t")),
            "early-publish-1": [("a", connect() + _on(b"t"))],
            "subscribe-1": after_connect(subscribe(), _on(b"t", 0x30)),
            "will-0": _will(0, 1),
            "will-1": _will(1, 0),
        },
    ),
    "max-qos-1": Setting(
        "max_qos 1\n",
        {},
        Habits(qos_max=1),
        {
            "publish-1": after_connect(_on(b"t")),
            "publish-2": after_connect(_on(b"t", 0x34)),
            "will-1": _will(1, 0),
            "will-2": _will(2, 0),
        },
    ),
}
NAMES = [(setting, case) for setting in SETTINGS for case in SETTINGS[setting].cases]


@contextmanager
def running(name: str, folder: Path) -> Iterator[int]:
    setting = SETTINGS[name]
    for file, text in setting.files.items():
        (folder / file).write_text(text)
    with mosquitto(folder, setting.lines.replace("{folder}", str(folder))) as port:
        yield port


def recorded() -> dict[str, dict[str, Bytes]]:
    return json.loads(RECORDED.read_text())


# Without Mosquitto one line says so, for all of them.
@pytest.mark.parametrize("name", SETTINGS if find_mosquitto() else ["none"])
def test_mosquitto_still_answers_as_recorded(name: str, tmp_path: Path) -> None:
    """A difference after an update of Mosquitto: record anew, see `record`, and look at it."""
    need_mosquitto("its answers are compared as they were recorded")
    if name == "dynamic-security" and PLUGIN is None:
        pytest.skip("Mosquitto's plugin for dynamic security is not installed")
    with running(name, tmp_path) as port:
        assert all_real_answers(SETTINGS[name].cases, port) == recorded()[name]


@pytest.mark.parametrize(("setting", "case"), NAMES)
def test_the_fake_broker_has_the_habit(setting: str, case: str) -> None:
    habits, cases = SETTINGS[setting].habits, SETTINGS[setting].cases
    steps = named(cases, case, cases[case])
    assert joined(fake_answers(steps, habits=habits)) == recorded()[setting][case]


def test_mosquitto_resets_what_it_closes_while_bytes_are_unread(tmp_path: Path) -> None:
    """The habit `unread_resets`; which of the two ends it is depends on the machine's pace alone
    where all was read, so only this is held."""
    need_mosquitto("amqtt reads ahead")
    (tmp_path / "passwords").write_text("")
    nobody = f"allow_anonymous false\npassword_file {tmp_path / 'passwords'}\n"
    early = connect(b"n") + publish(b"x" * 2000, 0x32, b"t")
    with mosquitto(tmp_path, nobody) as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.settimeout(5)
        one.sendall(early)
        with pytest.raises(ConnectionResetError):
            while one.recv(100):
                pass


def record() -> None:
    """PYTHONPATH=host_tests:lib:.:tools python host_tests/unit/fakes/test_mosquitto_habits.py"""
    answers: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder, running(name, Path(folder)) as port:
            answers[name] = all_real_answers(setting.cases, port)
    write_record(RECORDED, answers)


if __name__ == "__main__":
    record()
