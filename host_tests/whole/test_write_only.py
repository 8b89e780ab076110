"""Whole nodes at a broker that lets them publish only: readings go on, refusals show."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rigs.field import NODE, Field

from fakes.habits import Habits

MODES = ("always_on", "duty_cycle")


def write_only(name: str, data: bytes) -> bytes:
    """As Mosquitto's dynamic security, NATS and aedes answer: SUBACK 0x80."""
    return data[:-1] + b"\x80" if name == "SUBACK" else data


def as_ejabberd(name: str, data: bytes) -> bytes:
    """A reason of MQTT 5 in a session of MQTT 3.1.1."""
    return data[:-1] + b"\x8f" if name == "SUBACK" else data


def field(mode: str, **config: Any) -> Field:
    sensors = [{"type": "simulated"}]
    return Field("esp32", sensors, hours=1.0, mode=mode, sample_s=60, health_s=300, **config)


@pytest.mark.parametrize("answer", [write_only, as_ejabberd])
@pytest.mark.parametrize("discovery", [None, "homeassistant"])
@pytest.mark.parametrize("mode", MODES)
def test_each_reading_arrives_once_and_the_refused_topics_are_named(
    mode: str, discovery: str | None, answer: Callable[[str, bytes], bytes]
) -> None:
    node = field(mode, home_assistant=discovery)
    node.run.broker.answer = answer
    node.run.play()
    keys = [(one["boot"], one["seq"]) for one in node.readings]
    assert len(keys) >= 59 and len(set(keys)) == len(keys), "nothing is sent twice"
    lines = [str(one[-1]) for one in node.run.world.trace if "broker refuses us" in str(one[-1])]
    topics = [f"fieldpost/{NODE}/cmd", *(["homeassistant/status"] if discovery else [])]
    assert sorted(node.health["refused"]) == topics
    if mode == "always_on":
        assert len(lines) == len(topics), "each is told of once"
    assert node.health["causes"] == {}, "no connection was lost over it"


@pytest.mark.parametrize("how", ["refuse", "close"])
@pytest.mark.parametrize("mode", MODES)
def test_one_refused_topic_costs_no_other(mode: str, how: str) -> None:
    """As a broker whose permissions name the node's own topics and forget Home Assistant's."""
    node = field(mode, home_assistant="homeassistant")
    node.run.broker.habits = Habits(subscribe_denied=("homeassistant/status",), on_subscribe=how)
    node.run.world.at(int(1800e6), node.machine.orders.send, "outbox")
    answers: list[str] = []
    node.run.broker.watch(f"fieldpost/{NODE}/cmd/result", lambda one: answers.append(one.topic))
    node.run.play()
    keys = [(one["boot"], one["seq"]) for one in node.readings]
    assert len(set(keys)) >= 59 and len(keys) <= len(set(keys)) + 3
    assert node.health["refused"] == ["homeassistant/status"]
    assert len(answers) == 1, "commands are taken"
    if how == "refuse":
        assert node.health["causes"] == {}, "a SUBACK ends no connection"


@pytest.mark.parametrize("mode", MODES)
def test_with_commands_off_a_node_subscribes_to_nothing(mode: str) -> None:
    node = field(mode, commands="off")
    asked: list[str] = []

    def note(name: str, data: bytes) -> bytes:
        asked.append(name)
        return data

    node.run.broker.answer = note
    node.run.play()
    assert len(node.readings) >= 59
    assert "SUBACK" not in asked
    assert "refused" not in node.health


def test_readings_leave_before_anything_that_a_broker_may_refuse() -> None:
    """What closes on a SUBSCRIBE has the readings before it."""
    node = field("duty_cycle")
    seen: list[tuple[str, Any]] = []
    node.run.broker.watch(
        f"fieldpost/{NODE}/#", lambda record: seen.append((record.topic, record))
    )
    node.run.play()
    topics = [topic.rsplit("/", 1)[1] for topic, _ in seen]
    assert topics[0] == "telemetry" and topics.index("status") > 0
    assert json.loads(seen[0][1].payload)["seq"] == 0
