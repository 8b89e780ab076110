"""A command reaches the node that missed it, and is done with when the answer is in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rigs.stores import event

from fieldpost.errors import CommandError
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.serve.commands import Commands


class Node:
    """Hears its commands."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[dict[str, Any]] = []
        self._connection = Connection(
            mqtt_url.parse(broker.url),
            on_message=lambda m: self.heard.append(json.loads(m.payload)),
        )
        self._connection.open()
        self._connection.subscribe("fieldpost/n/cmd", 1)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def node(broker: Broker) -> Iterator[Node]:
    one = Node(broker)
    yield one
    one.close()


@pytest.fixture
def commands(broker: Broker) -> Iterator[Commands]:
    one = Commands(mqtt_url.parse(broker.url), "fieldpost")
    yield one
    one.close()


def until(reached: Any) -> None:
    import time

    end = time.monotonic() + 5
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_command_arrives_with_the_id_under_which_it_is_answered(
    node: Node, commands: Commands
) -> None:
    name = commands.ask("n", "set", {"key": "sample_s", "value": 5})
    until(lambda: node.heard)
    assert node.heard == [{"id": name, "do": "set", "key": "sample_s", "value": 5}]


def test_who_connects_anew_is_told_again_until_it_has_answered(
    node: Node, commands: Commands
) -> None:
    name = commands.ask("n", "identify", {})
    until(lambda: len(node.heard) == 1)
    commands.note(
        [event("status", {"state": "offline"}), event("status", {"state": "online"}, node="m")]
    )
    commands.note([event("status", {"state": "online"})])
    until(lambda: len(node.heard) == 2)
    assert node.heard[0] == node.heard[1]
    commands.note(
        [event("cmd/result", {"id": name, "ok": True}), event("status", {"state": "online"})]
    )
    other = commands.ask("n", "sample", {})
    until(lambda: node.heard[-1]["id"] == other)
    assert len(node.heard) == 3


@pytest.mark.parametrize("told", [{"id": 5}, {"id": None}, {}, {"id": ["x"]}])
def test_an_answer_without_sense_changes_nothing(commands: Commands, told: dict[str, Any]) -> None:
    commands.note(
        [event("cmd/result", told), event("status", None), event("status", {"state": 5})]
    )


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a\0"])
def test_no_topic_but_a_nodes_is_published_to(commands: Commands, name: str) -> None:
    with pytest.raises(CommandError):
        commands.ask(name, "identify", {})


@pytest.mark.parametrize("do", ["forget_network", "safe_mode", "get", ""])
def test_what_the_page_has_no_button_for_is_not_sent(commands: Commands, do: str) -> None:
    with pytest.raises(CommandError):
        commands.ask("n", do, {})


def test_without_a_broker_it_is_said_that_nothing_was_sent() -> None:
    commands = Commands(mqtt_url.parse("mqtt://127.0.0.1:1"), "fieldpost")
    with pytest.raises(CommandError):
        commands.ask("n", "identify", {})
    commands.close()
