"""What a node does when it is told: each command answered once, the mistaken ones taken back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.commanded_node import Node, Results

from fieldpost.errors import CommandError
from fieldpost.messages.cmd import parse_arguments
from fieldpost.mqtt import brokers
from fieldpost.paths import ROOT


@pytest.fixture
def node(tmp_path: Path, broker: brokers.Broker) -> Iterator[Node]:
    one = Node(tmp_path, "n" + tmp_path.name[-8:].replace("_", "").lower(), broker)
    one.start()
    yield one
    one.close()


def test_each_command_is_answered_once_with_what_it_asked_for(node: Node) -> None:
    assert node.tell("get", key="sample_s") == _ok(node, {"key": "sample_s", "value": 1})
    assert node.tell("set", key="sample_s", value=2)["ok"]
    assert node.tell("get", key="sample_s")["value"] == 2
    assert node.config()["sample_s"] == 2, "it must survive a restart"
    assert node.tell("outbox")["depth"] in (0, 1)
    assert any("ready:" in line for line in node.tell("log")["lines"])
    assert node.tell("sample")["ok"] and node.tell("deliver")["ok"]
    assert node.tell("identify")["ok"]
    assert node.tell("set", key="log_level", value="error")["ok"]
    assert node.tell("forget_network")["ok"]


def _ok(_node: Node, fields: dict[str, Any]) -> Any:
    class Same(dict[str, Any]):
        """Equal whatever the id."""

        def __eq__(self, other: object) -> bool:
            assert isinstance(other, dict)
            return {k: v for k, v in other.items() if k != "id"} == {"ok": True, **fields}

        __hash__ = None  # type: ignore[assignment]

    return Same()


@pytest.mark.parametrize(
    ("do", "arguments", "told"),
    [
        ("dance", {}, "unknown command dance; known: deliver, forget_network"),
        ("set", {"key": "sample_z", "value": 1}, 'did you mean "sample_s"'),
        ("set", {"key": "sample_s", "value": 0}, "must be a whole number from 1"),
        ("set", {"key": "sample_s"}, "value is missing"),
        ("set", {"key": "mqtt.password", "value": "x"}, "credentials"),
        ("get", {"key": "wifi.networks"}, "credentials"),
        ("get", {"key": "nothing.here"}, "no such key"),
        ("stay_awake", {"minutes": "long"}, "minutes must be"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    node: Node, do: str, arguments: dict[str, Any], told: str
) -> None:
    answer = node.tell(do, **arguments)
    assert answer["ok"] is False and told in answer["error"]
    assert node.config()["sample_s"] == 1


def test_credentials_are_told_in_no_answer(node: Node) -> None:
    for key in ("wifi", "mqtt"):
        assert "correct horse" not in json.dumps(node.tell("get", key=key))


def test_malformed_oversized_retained_and_repeated_commands_are_refused(
    node: Node, broker: brokers.Broker
) -> None:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    answers: list[dict[str, Any]] = []
    client = Client(CallbackAPIVersion.VERSION2)
    # amqtt also hands a new client what is retained for the subscriptions of others.
    client.message_callback_add(
        f"fieldpost/{node.name}/cmd/result",
        lambda _c, _d, message: answers.append(json.loads(message.payload)),
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    node.tell("outbox")  # it is up
    granted = threading.Event()
    client.on_subscribe = lambda *_: granted.set()
    client.subscribe(f"fieldpost/{node.name}/cmd/result", 1)
    assert granted.wait(10)
    topic = f"fieldpost/{node.name}/cmd"
    same = json.dumps({"id": "same", "do": "outbox"})
    for payload in ("{", "[1]", '{"do":"outbox"}', json.dumps({"id": "x", "do": "y" * 600})):
        client.publish(topic, payload, 1).wait_for_publish(5)
    client.publish(topic, same, 1).wait_for_publish(5)
    client.publish(topic, same, 1).wait_for_publish(5)
    end = time.monotonic() + 10
    while len(answers) < 6 and time.monotonic() < end:
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()
    told = [one.get("error", "ok") for one in answers]
    assert told == [
        "not JSON",
        "not a JSON object",
        "id must be a text of 1 to 32 characters",
        "larger than 512 bytes",
        "ok",
        "a command with this id was done already",
    ]


def test_a_retained_command_is_refused_at_the_next_connection(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    from paho.mqtt import publish

    topic = "fieldpost/kept/cmd"
    kept = json.dumps({"id": "r", "do": "restart"})
    publish.single(topic, kept, qos=1, retain=True, port=broker.port)
    node = Node(tmp_path, "kept", broker)
    try:
        with Results("kept", broker) as results:
            node.start()
            answer = results.next()
    finally:
        node.close()
        publish.single(topic, b"", qos=1, retain=True, port=broker.port)
    assert "retained" in answer["error"]


def test_a_mistyped_broker_strands_no_node(node: Node, broker: brokers.Broker) -> None:
    """The change is on trial; without a connection the old setting is back, and it is told."""
    right = node.config()["mqtt"]["port"]
    answer = node.tell("set", key="mqtt.port", value=1)
    assert answer["ok"] and answer["on_trial"]
    node.wait_for_restart(connects=False)
    assert node.config()["mqtt"]["port"] == 1
    with Results(node.name, broker) as results:
        node.wait_for_restart()  # by itself, after the trial
        told = results.next()
    assert told["id"] == answer["id"] and told["ok"] is False
    assert "the setting before is back" in told["error"]
    assert node.config()["mqtt"]["port"] == right
    end = time.monotonic() + 5
    while (node.folder / "trial.json").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not (node.folder / "trial.json").exists()


def test_a_right_change_of_the_connection_passes_its_trial(
    node: Node, broker: brokers.Broker
) -> None:
    answer = node.tell("set", key="mqtt.keepalive_s", value=90)
    assert answer["on_trial"]
    with Results(node.name, broker) as results:
        node.wait_for_restart()
        told = results.next()
    assert (told["id"], told["ok"]) == (answer["id"], True)
    assert node.config()["mqtt"]["keepalive_s"] == 90


def test_a_sleeping_node_finds_its_command_when_it_wakes(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    node = Node(tmp_path, "sleeper", broker, mode="duty_cycle", sample_s=2)
    node.start()
    try:
        time.sleep(1)  # asleep by now; its session is the broker's to keep
        assert node.tell("get", key="sample_s")["value"] == 2
        assert node.tell("stay_awake", minutes=1)["ok"]
        started = time.monotonic()
        for _ in range(3):
            assert node.tell("outbox")["ok"]
        assert time.monotonic() - started < 4, "it was to stay awake"
    finally:
        node.close()


def test_safe_mode_is_entered_and_left_by_command(node: Node) -> None:
    assert node.tell("safe_mode")["ok"]
    node.wait_for_restart()
    lines = "\n".join(node.tell("log")["lines"])
    assert "safe mode" in lines and "sample" not in lines.replace("command", "")
    assert node.tell("safe_mode", on=False)["ok"]
    node.wait_for_restart()
    assert "safe mode" not in "\n".join(node.tell("log")["lines"])


def test_arguments_are_json_or_text_and_mistakes_are_named() -> None:
    assert parse_arguments(["key=sample_s", "value=60", "on=true"]) == {
        "key": "sample_s",
        "value": 60,
        "on": True,
    }
    for bad in ("sample_s", "=3", "id=7", "a b=3"):
        with pytest.raises(CommandError):
            parse_arguments([bad])


def test_a_node_that_nobody_has_heard_of_is_said_so(broker: brokers.Broker) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fieldpost",
            "cmd",
            "ghost",
            "outbox",
            "--timeout",
            "0.5",
            "--broker",
            broker.url,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1 and "no node ghost" in done.stderr
