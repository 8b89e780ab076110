"""docs/sensors.md says of every type what the schema says, and its examples are without errors."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fieldpost.paths import ROOT
from firmware.config import check as config
from firmware.config import keys_sensors

TEXT = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json\n(.*?)```(?:\n```json\n(.*?)```)?", TEXT, re.DOTALL)
# (configuration, payload) of one sensor.
EXAMPLES = [
    (json.loads(one), said) for one, said in BLOCKS if '"type"' in one and "[\n" not in one
]


def checked(*sensors: Any) -> list[dict[str, Any]]:
    found = {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors)}
    secrets = {"wifi": [{"ssid": "s", "password": "12345678"}]}
    settings, errors = config.check(found, secrets)
    assert errors == []
    return settings["sensors"]


def published(sensor: dict[str, Any]) -> list[str]:
    """The names that a checked sensor publishes."""
    fields = [
        sensor[field[1:-1]] if field[0] == "{" else field
        for field, *_ in keys_sensors.declaration(sensor["type"]).FIELDS
    ]
    return [sensor["prefix"] + field for field in sensor["fields"] or fields]


@pytest.mark.parametrize(("example", "payload"), EXAMPLES)
def test_each_example_is_without_errors_and_publishes_what_it_shows(
    example: Any, payload: str
) -> None:
    (sensor,) = checked(example)
    if not payload:
        assert "devices" in example  # what it publishes stands before it
        return
    if example["type"] == "driver":
        return  # test_sensors.py runs it
    shown = [name for name in published(sensor) if not name.endswith("*")]
    assert sorted(json.loads(payload)) == sorted(shown)


def test_the_whole_configuration_is_without_errors_and_its_reading_is_complete() -> None:
    one, said = BLOCKS[0][0], BLOCKS[1][0] if not BLOCKS[0][1] else BLOCKS[0][1]
    sensors = checked(*json.loads(one)["sensors"])
    shown = [name for sensor in sensors for name in published(sensor) if name[-1] != "*"]
    assert set(json.loads(said)) == {"boot", "seq", "ts", *shown}


def test_every_type_has_its_line_its_section_and_an_example() -> None:
    lines = dict(re.findall(r"^\| \[`(\w+)`\]\(#[\w-]+\) \| (.*?) \|", TEXT, re.MULTILINE))
    assert set(lines) == set(keys_sensors.NAMES)
    assert {example["type"] for example, _ in EXAMPLES} == set(keys_sensors.NAMES)
    anchors = {
        title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= anchors
    for kind, line in lines.items():
        declared = keys_sensors.declaration(kind)
        fields = [row[0] for row in declared.FIELDS]
        defaults = {row[0]: row[2] for row in declared.KEYS}
        plain = {defaults[one[1:-1]] if one[0] == "{" else one for one in fields}
        assert set(re.findall(r"`(\w+)`", line)) == {one for one in plain if one[-1] != "*"}


def test_every_key_that_any_sensor_may_have_is_explained() -> None:
    for row in keys_sensors.EVERY:
        assert f"`{row[0]}`" in TEXT
