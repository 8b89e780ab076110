"""`fieldpost pace`: what it sets is what a node obeys, and it shows and clears it."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.command_line import fieldpost

from fieldpost.messages import pace as command
from fieldpost.mqtt.brokers import Broker
from firmware.remote import pace as firmware


def _asked(broker: Broker, *words: str) -> dict[str, Any]:
    made = fieldpost("pace", *words, "--json", "--broker", broker.url)
    assert made.status == 0, made
    return json.loads(made.out)


def test_what_is_set_is_shown_and_obeyed_and_cleared() -> None:
    with Broker() as broker:
        assert _asked(broker)["factor"] == 1
        found = _asked(broker, "4", "--for", "5")
        assert 290 < found["until"] - time.time() <= 300
        assert _asked(broker) == found
        assert _asked(broker, "--base", "other")["factor"] == 1
        shown = fieldpost("pace", "--broker", broker.url).out
        assert "fieldpost/pace: 4 times as slow until" in shown
        assert _asked(broker, "--clear")["until"] is None
        assert _asked(broker)["factor"] == 1


def test_its_bounds_are_those_of_the_firmware() -> None:
    clock = SimpleNamespace(unix_s=lambda: 1000, uptime_ms=lambda: 0)
    node = firmware.Pace(b"t", None, clock, lambda _: None, None)
    until_s = 1000 + command.MINUTES_MAX * 60
    node.receive(json.dumps({"factor": command.FACTOR_MAX, "until": until_s}).encode())
    assert node.factor() == command.FACTOR_MAX
    node.receive(json.dumps({"factor": command.FACTOR_MAX + 1, "until": until_s}).encode())
    assert node.factor() == command.FACTOR_MAX
    node.receive(json.dumps({"factor": 2, "until": until_s + 1}).encode())
    assert node.factor() == 1


@pytest.mark.parametrize("words", [["1"], ["17"], ["4", "--clear"], ["4", "--for", "1441"]])
def test_what_no_node_would_obey_is_refused(words: list[str]) -> None:
    assert fieldpost("pace", *words).status != 0
