"""The doctor does at a real broker what a node does, says what a node would lack, and leaves it
as it was."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rigs.broker_answers import mosquitto
from rigs.mosquitto import PLUGIN, dynamic_security, need_mosquitto

from fieldpost.doctor import as_node
from fieldpost.doctor import broker as doctor_broker
from fieldpost.doctor.check import Check
from fieldpost.mqtt.brokers import HOST, _password_line
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import BrokerAddress

PASSWORDS = "password_file {folder}/passwords\nallow_anonymous false\n"
USERS = ("kitchen", "owner", "looker")
DYNAMIC = dynamic_security(
    ("publishClientSend", "fieldpost/+/telemetry"),
    ("publishClientSend", "fieldpost/+/status"),
)


need_mosquitto("amqtt has no permissions, and none of these limits", module=True)


@pytest.fixture(autouse=True)
def nothing_is_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from a broker on this machine comes within milliseconds."""
    monkeypatch.setattr(as_node, "_ECHO_S", 0.7)


@contextmanager
def broker(folder: Path, settings: str = "", **files: str) -> Iterator[BrokerAddress]:
    for name, text in files.items():
        (folder / name).write_text(text)
    with mosquitto(folder, settings.replace("{folder}", str(folder))) as port:
        yield BrokerAddress(HOST, port)


@contextmanager
def restricted(folder: Path, acl: str) -> Iterator[BrokerAddress]:
    """A broker with the accounts `kitchen` and `owner`, who may do everything."""
    passwords = "".join(_password_line(user, "secret") for user in USERS)
    lines = PASSWORDS + "acl_file {folder}/acl\n"
    acl = f"{acl}\nuser owner\ntopic readwrite #\n"
    with broker(folder, lines, passwords=passwords, acl=acl) as address:
        yield address


def url(address: BrokerAddress, user: str | None = None) -> str:
    login = f"{user}:secret@" if user else ""
    return f"mqtt://{login}{address.host}:{address.port}"


def found(address: str, **options: Any) -> dict[str, Check]:
    checks = doctor_broker.broker(address, **options)
    print(*checks, sep="\n")
    return {check.name: check for check in checks}


def retained(address: BrokerAddress) -> dict[str, bytes]:
    """Everything that is retained there."""
    kept: dict[str, bytes] = {}

    def note(message: Any) -> None:
        if message.retain:
            kept[message.topic] = message.payload

    connection = Connection(address, on_message=note)
    connection.open()
    connection.subscribe("#", 1)
    time.sleep(0.5)
    connection.close()
    return kept


def owner_of(address: BrokerAddress) -> BrokerAddress:
    return BrokerAddress(address.host, address.port, "owner", "secret")


@pytest.mark.slow
def test_a_broker_that_gives_everything_is_left_with_nothing(tmp_path: Path) -> None:
    with broker(tmp_path) as address:
        checks = found(url(address))
        assert {check.state for check in checks.values()} == {"ok"}
        assert len(checks) == 12
        assert retained(address) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        ("max_packet_size 1000\n", {"discovery": "optional"}),
        (
            "retain_available false\n",
            {
                "connecting": "missing",
                "status": "optional",
                "health": "optional",
                "discovery": "optional",
            },
        ),
        (
            "max_qos 0\n",
            {
                "connecting": "missing",
                "readings": "missing",
                "status": "optional",
                "answers to commands": "optional",
                "discovery": "optional",
            },
        ),
    ],
)
def test_what_a_brokers_limits_take_from_a_node_is_named(
    settings: str, bad: dict[str, str], tmp_path: Path
) -> None:
    with broker(tmp_path, settings) as address:
        checks = found(url(address))
        assert {name: one.state for name, one in checks.items() if one.state != "ok"} == bad
        assert retained(address) == {}


@pytest.mark.slow
def test_an_account_that_may_only_publish_is_seen_by_the_owners(tmp_path: Path) -> None:
    acl = "user kitchen\ntopic write fieldpost/kitchen/telemetry\ntopic write x/#"
    with restricted(tmp_path, acl) as address:
        alone = found(url(address, "kitchen"))
        assert alone["readings"].state == "note" and "--owner" in alone["readings"].fix
        checks = found(url(address, "kitchen"), owner=url(address, "owner"), node="kitchen")
        assert checks["readings"].state == "ok"
        for name in ("status", "health", "discovery", "answers to commands", "will"):
            assert checks[name].state == "optional", name
        assert "not passed on" in checks["discovery"].text
        assert "Home Assistant does not find" in checks["discovery"].text
        assert "fieldpost/kitchen/status" in checks["status"].fix
        assert retained(owner_of(address)) == {}


@pytest.mark.slow
def test_readings_that_the_permissions_keep_back_are_what_is_needed(tmp_path: Path) -> None:
    acl = "user kitchen\ntopic write fieldpost/other/#"
    with restricted(tmp_path, acl) as address:
        checks = found(url(address, "kitchen"), owner=url(address, "owner"), node="kitchen")
    assert checks["readings"].state == "missing" and "readings are lost" in checks["readings"].text


@pytest.mark.slow
def test_a_subscription_that_is_granted_and_brings_nothing_is_seen(tmp_path: Path) -> None:
    """Mosquitto grants every subscription, and asks its ACL when it passes a message on."""
    acl = "user kitchen\ntopic write fieldpost/kitchen/#\ntopic write homeassistant/#"
    with restricted(tmp_path, acl) as address:
        checks = found(url(address, "kitchen"), owner=url(address, "owner"), node="kitchen")
        alone = found(url(address, "kitchen"), node="kitchen")
        assert checks["commands"].state == "optional"
        assert "nothing comes: no command reaches" in checks["commands"].text
        assert checks["commands"].fix == "permit kitchen: read fieldpost/kitchen/cmd"
        assert checks["updates"].state == "optional"
        assert checks["updates"].fix == "permit kitchen: read fieldpost/kitchen/update/piece"
        assert alone["commands"].state == "note" and "--owner" in alone["commands"].fix
        assert retained(owner_of(address)) == {}


@pytest.mark.slow
def test_an_owner_who_may_not_read_is_told_so_and_no_right_of_the_node_is_doubted(
    tmp_path: Path,
) -> None:
    acl = "user kitchen\ntopic readwrite #\nuser looker\ntopic write #"
    with restricted(tmp_path, acl) as address:
        checks = found(url(address, "kitchen"), owner=url(address, "looker"), node="kitchen")
        for name in ("readings", "status", "health", "discovery", "answers to commands"):
            assert checks[name].state == "note", checks[name]
            assert checks[name].fix.startswith("permit looker: read"), checks[name]
        assert checks["commands"].state == "ok", "it came, whoever may see it"
        assert "will" not in checks
        assert retained(owner_of(address)) == {}


@pytest.mark.slow
def test_an_owner_who_may_not_send_a_command_does_not_blame_the_node(tmp_path: Path) -> None:
    acl = "user kitchen\ntopic readwrite #\nuser looker\ntopic read #"
    with restricted(tmp_path, acl) as address:
        checks = found(url(address, "kitchen"), owner=url(address, "looker"), node="kitchen")
    assert checks["commands"].state == "note"
    assert checks["commands"].fix.startswith("permit looker: read and write")
    assert checks["readings"].state == "ok"


@pytest.mark.slow
@pytest.mark.skipif(PLUGIN is None, reason="Mosquitto's dynamic-security plugin is missing")
def test_a_subscription_that_dynamic_security_refuses_is_named(tmp_path: Path) -> None:
    lines = f"plugin {PLUGIN}\nplugin_opt_config_file {{folder}}/roles.json\n"
    with broker(tmp_path, lines, **{"roles.json": json.dumps(DYNAMIC)}) as address:
        checks = found(url(address))
        assert checks["commands"].state == "optional" and "refused" in checks["commands"].text
        assert "no command reaches" in checks["commands"].text
        assert checks["readings"].state == "note", "nobody may look on"
        named = found(url(address), node="kitchen")
    # Whether it runs cannot be seen, so nothing is published in its name.
    assert named["publishing"].state == "note" and "status" not in named


class RunningNode:
    """What a node called kitchen has left with the broker, and what it is told and hears."""

    def __init__(self, address: BrokerAddress) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.lost: list[str] = []
        self._connection = Connection(
            address, client_id="kitchen", on_message=self._note, on_lost=self.lost.append
        )
        self._stopped = threading.Event()
        self.state = {
            "fieldpost/kitchen/status": b'{"state":"online"}',
            "fieldpost/kitchen/health": b'{"refused":["homeassistant/status"]}',
            "homeassistant/device/kitchen/config": b'{"dev":{}}'.ljust(3000),
        }

    def __enter__(self) -> "RunningNode":
        self._connection.open()
        for topic, data in self.state.items():
            self._connection.publish(topic, data, qos=1, retain=True)
        self._connection.subscribe("fieldpost/kitchen/#", 1)
        self._connection.subscribe("homeassistant/#", 1)
        threading.Thread(target=self._measure, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._connection.close()

    def _measure(self) -> None:
        while not self._stopped.wait(1):
            self._connection.publish(
                "fieldpost/kitchen/telemetry", b'{"boot":1,"seq":1}', qos=1, retain=False
            )

    def _note(self, message: Any) -> None:
        self.heard.append((message.topic, message.payload))


@pytest.mark.slow
def test_a_node_that_runs_is_not_disturbed_and_its_health_is_read(tmp_path: Path) -> None:
    with broker(tmp_path) as address, RunningNode(address) as node:
        checks = found(url(address), node="kitchen")
        assert checks["readings"].state == "ok" and "which runs" in checks["readings"].text
        assert "homeassistant/status" in checks["kitchen says"].text
        assert checks["kitchen says"].state == "optional"
        assert retained(address) == node.state
        assert not node.lost
        own = {**node.state, "fieldpost/kitchen/telemetry": b'{"boot":1,"seq":1}'}
        of_doctor = [one for one in node.heard if own.get(one[0]) != one[1]]
    assert checks["commands"].state == "note" and "cmd kitchen" in checks["commands"].fix
    assert of_doctor == [("fieldpost/kitchen/cmd/result", b'{"test":"fieldpost doctor"}')]


@pytest.mark.slow
def test_a_node_that_is_offline_stays_so(tmp_path: Path) -> None:
    status = b'{"state":"offline"}'
    with broker(tmp_path) as address:
        connection = Connection(address)
        connection.open()
        connection.publish("fieldpost/kitchen/status", status, qos=1, retain=True)
        connection.close()
        checks = found(url(address), node="kitchen")
        assert checks["will"].state == "ok"
        assert retained(address) == {"fieldpost/kitchen/status": status}


def test_an_owner_who_is_not_let_in_is_told(tmp_path: Path) -> None:
    with restricted(tmp_path, "user kitchen\ntopic readwrite #") as address:
        checks = found(url(address, "kitchen"), owner=f"mqtt://owner:wrong@{HOST}:{address.port}")
    assert checks["broker"].state == "ok" and checks["owner"].state == "missing"
