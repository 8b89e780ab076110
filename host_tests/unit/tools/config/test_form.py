"""The form asks for every key that there is, with what the schema says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fieldpost.config.form import form, known_part
from fieldpost.config.reference import reference
from fieldpost.paths import ROOT
from firmware.config import check

SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}


def walk(rows: list[dict[str, Any]], prefix: str, suffix: str = "") -> Iterator[tuple[str, Any]]:
    """Each field under the path that the reference has for it."""
    for row in rows:
        path = prefix + row["key"]
        yield path + suffix, row
        inner = "." if row["kind"] == "section" else "[]."
        yield from walk(row.get("rows", []), path + inner, suffix)


def fields() -> dict[str, Any]:
    told = form()
    found = dict(walk(told["config"], ""))
    found |= walk(told["secrets"], "secrets.json ")
    found |= walk(told["every"], "sensors[].")
    for kind in told["types"]:
        found |= walk(kind["rows"], "sensors[].", f" ({kind['name']})")
    return found


def test_each_key_of_the_reference_is_asked_for() -> None:
    # The type is what a sensor's list is chosen by.
    assert set(fields()) == {row.key for row in reference()} - {"sensors[].type"}


def test_each_has_a_title_a_text_and_what_is_allowed() -> None:
    for path, one in fields().items():
        assert one["title"] and one["text"] and one["allowed"], path
        assert "null" not in one["text"] and "`" not in one["text"], path
        if one["kind"] == "choice":
            assert len(one["options"]) >= 2 or "address" in path, path
        if one["kind"] in ("whole", "number") and "GPIO" not in one["allowed"]:
            assert one["low"] < one["high"], path


def test_what_is_needed_and_what_is_by_itself_are_told_apart() -> None:
    found = fields()
    assert found["node"]["required"] and found["mqtt.host"]["required"]
    assert found["sample_s"]["default"] == 60 and found["sample_s"]["unit"] == "seconds"
    assert found["secrets.json wifi[].password"]["kind"] == "secret"
    assert found["secrets.json mqtt.password"]["kind"] == "secret"
    assert found["wifi.static"]["optional"] and not found["wifi"]["optional"]
    assert found["ntp.host"]["may_be_null"] and not found["mqtt.port"]["may_be_null"]
    assert [one["text"] for one in found["sensors[].address (bme280)"]["options"]] == [
        "0x76",
        "0x77",
    ]


def test_the_basics_are_keys_that_there_are() -> None:
    assert set(form()["basics"]) <= set(fields())


@pytest.mark.parametrize("place", sorted(ROOT.glob("examples/*/config.json")), ids=str)
def test_an_example_has_a_place_for_all_that_it_says(place: Any) -> None:
    config = json.loads(place.read_text("utf-8"))
    assert known_part(config) == config


def test_what_is_unknown_or_of_another_shape_has_no_place() -> None:
    found = {
        "node": 5,
        "colour": "red",
        "mqtt": [],
        "wifi": {"static": None, "x": 1},
        "low_battery": None,
        "sensors": [5, {"type": "none", "pin": 1, "name": "a"}],
    }
    assert known_part(found) == {
        "node": 5,
        "wifi": {"static": None},
        "low_battery": None,
        "sensors": [{"type": "none", "name": "a"}],
    }
    assert not [one for one in check.check(known_part(found), SECRETS)[1] if "unknown" in one]
