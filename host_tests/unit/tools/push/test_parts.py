"""The commands that make one configuration of another, done by the firmware's own code."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from fieldpost.errors import CommandError
from fieldpost.messages.dialogue import Question
from fieldpost.push import parts
from firmware.config import change

BASE: dict[str, Any] = {"node": "n", "mqtt": {"host": "h", "tls": None}, "sample_s": 60}
SENSORS = [{"type": "digital", "pin": n, "name": f"door_{n}", "prefix": True} for n in range(16)]


def done(old: dict[str, Any], questions: list[Question]) -> dict[str, Any]:
    """As a node does them, each sent twice; a part goes on from the one before it."""
    config = change.copied(old)
    after = None
    for number, question in enumerate(questions):
        assert len(question.payload()) <= 512
        told = json.loads(question.payload())
        assert told.get("after") == after
        assert told.get("more", False) is (number < len(questions) - 1)
        assert ("mark" in told) is (number == len(questions) - 1)
        after = told["id"]
        for _ in range(2):
            for pair in told["values"]:
                change.put(config, *pair)
    return config


def test_nothing_is_sent_for_a_configuration_that_is_there() -> None:
    assert parts.questions(BASE, json.loads(json.dumps(BASE)), "m") == []


def test_one_key_is_one_short_command() -> None:
    (question,) = parts.questions(BASE, {**BASE, "sample_s": 300}, "5e1f09a2")
    assert question.arguments == {"values": [["sample_s", 300]], "mark": "5e1f09a2"}


def test_a_list_longer_than_any_command_arrives_whole_and_in_order() -> None:
    new = {**BASE, "sensors": SENSORS}
    questions = parts.questions(BASE, new, "m")
    assert 2 <= len(questions) <= 4, "the fewer, the less radio"
    assert done(BASE, questions) == new
    assert done(new, parts.questions(new, BASE, "m")) == BASE


def test_one_sensor_longer_than_a_command_comes_bit_by_bit() -> None:
    alarms = {f"field_{n}": {"above": n, "below": -n, "hysteresis": 0.5} for n in range(20)}
    new = {**BASE, "sensors": [{"type": "simulated", "alarms": alarms, "fields": ["a", "b"]}]}
    assert done(BASE, parts.questions(BASE, new, "m")) == new


def test_a_sensor_of_another_type_is_another_sensor() -> None:
    old = {**BASE, "sensors": [{"type": "dht", "pin": 4, "model": 22}]}
    new = {**BASE, "sensors": [{"type": "ds18x20", "pin": 4}]}
    (question,) = parts.questions(old, new, "m")
    assert question.arguments["values"] == [["sensors.0", {"type": "ds18x20", "pin": 4}]]


def test_true_is_not_one_and_null_is_a_value() -> None:
    old = {**BASE, "led": 1, "ntp": {"host": "x"}}
    new = {**BASE, "led": True, "ntp": {"host": None}}
    questions = parts.questions(old, new, "m")
    assert questions[0].arguments["values"] == [["led", True], ["ntp.host", None]]
    assert done(old, questions) == new


def test_a_text_that_fits_no_command_is_for_the_cable() -> None:
    with pytest.raises(CommandError, match=r"mqtt\.host is longer than a command.*--port"):
        parts.questions(BASE, {**BASE, "mqtt": {"host": "x" * 500}}, "m")


def random_value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(7 if depth else 4)
    if kind < 4:
        return [None, rng.random() < 0.5, rng.randrange(999), rng.choice("äé x😀") * 40][kind]
    if kind == 4:
        return [rng.randrange(9) for _ in range(rng.randrange(5))]
    if kind == 5:
        return [random_object(rng, depth - 1) for _ in range(rng.randrange(6))]
    return random_object(rng, depth - 1)


def random_object(rng: random.Random, depth: int) -> dict[str, Any]:
    names = rng.sample(["type", "a", "b", "c_long_name", "d", "e"], rng.randrange(6))
    return {name: random_value(rng, depth) for name in names}


@pytest.mark.parametrize("seed", range(300))
def test_any_configuration_becomes_any_other(seed: int) -> None:
    rng = random.Random(seed)
    old, new = random_object(rng, 3), random_object(rng, 3)
    assert done(old, parts.questions(old, new, "m")) == new
