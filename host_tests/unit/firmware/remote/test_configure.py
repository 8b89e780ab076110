"""A configuration told in pieces, and changed by parts: in one trial, whole or not at all."""

from __future__ import annotations

import json
from binascii import crc32
from typing import Any

import pytest
from rigs.told import CONFIG, TOPIC, Told

from firmware.remote import configure

SENSORS = [
    {"type": "digital", "pin": pin, "name": f"door_{pin}", "field": f"door_{pin}"}
    for pin in range(12)
]
PAIRS = [["health_s", 60], ["sample_s", 30]]


@pytest.fixture
def told() -> Told:
    return Told()


def change(told: Told, name: str, values: Any, **more: Any) -> dict[str, Any]:
    told.session.others.clear()
    told.send(name, "set", values=values, **more)
    told.commands.step()
    return told.session.answers[-1]


def written(told: Told, config: dict[str, Any]) -> None:
    """The node's config.json, as the tools write it."""
    told.flash.files["config.json"] = json.dumps(config, indent=2).encode()


def whole(told: Told) -> dict[str, Any]:
    """config.json as its pieces tell it."""
    told.session.answers.clear()
    name = f"g{len(told.flash.files['config.json'])}"
    told.send(name, "get")
    for _ in range(40):
        told.acknowledge()
    pieces = told.session.answers
    assert {one["id"] for one in pieces} == {name} and all(one["ok"] for one in pieces)
    assert max(len(json.dumps(one)) for one in pieces) <= 512
    text = "".join(one["text"] for one in pieces)
    assert len(text) == pieces[0]["size"] and {one["boot"] for one in pieces} == {7}
    return json.loads(text)


def test_the_configuration_is_told_in_pieces_none_longer_than_a_command(told: Told) -> None:
    assert whole(told) == CONFIG
    large = {**CONFIG, "sensors": SENSORS}
    written(told, large)
    assert len(told.flash.files["config.json"]) > 1200
    assert whole(told) == large
    assert len(told.lines) == 2, "the log keeps few lines, and each has another use for them"
    (mark,) = {one["mark"] for one in told.session.answers}
    assert mark == f"{crc32(told.flash.files['config.json']):08x}"


def test_several_keys_that_need_no_restart_are_in_force_at_once(told: Told) -> None:
    assert change(told, "1", PAIRS) == {"id": "1", "ok": True}
    assert told.applied == {"health_s": 60, "sample_s": 30}
    told.acknowledge()
    assert told.restarts == 0 and told.config() == {**CONFIG, "health_s": 60, "sample_s": 30}


def test_a_key_alone_brings_its_default_back(told: Told) -> None:
    assert change(told, "1", [["sample_s"]])["ok"]
    assert "sample_s" not in told.config() and told.applied == {"sample_s": 60}
    assert change(told, "2", [["nothing_there"]])["ok"], "it is not there, as was asked for"


def test_one_trial_for_all_that_a_command_changes_and_one_way_back(told: Told) -> None:
    answer = change(told, "1", [*PAIRS, ["sensors", [{"type": "simulated"}]]])
    assert answer == {"id": "1", "ok": True, "restart": True, "on_trial": True}
    told.acknowledge()
    assert told.restarts == 1 and told.applied == {}
    told.start()
    told.step_trial(False, 300_000)
    assert told.config() == CONFIG
    told.commands.step()
    verdict = told.session.answers[-1]
    assert verdict["id"] == "1" and not verdict["ok"] and "is back" in verdict["error"]


def test_a_list_too_long_for_one_command_comes_in_parts_and_is_in_force_with_the_last(
    told: Told,
) -> None:
    after: dict[str, str] = {}
    answer: dict[str, Any] = {}
    for number, sensor in enumerate(SENSORS):
        part = [[f"sensors.{number}", sensor]]
        if number == 0:
            part = [["sensors", []], *part]
        last = number == len(SENSORS) - 1
        answer = change(told, f"p{number}", part, more=not last, **after)
        assert answer["ok"], answer
        if not last:
            assert told.config() == CONFIG and told.restarts == 0
            assert "trial.json" not in told.flash.files
        if number == 5:
            told.start()  # A restart in the midst loses nothing.
        after = {"after": f"p{number}"}
    assert answer["on_trial"] and told.config() == {**CONFIG, "sensors": SENSORS}
    assert configure.PARTS not in told.flash.files


def test_a_part_without_the_one_before_it_is_refused_and_nothing_is_changed(told: Told) -> None:
    assert "part before it" in change(told, "2", PAIRS, after="1")["error"]
    assert change(told, "1", PAIRS, more=True)["ok"]
    assert "part before it" in change(told, "3", PAIRS, after="2")["error"]
    for garbage in (b"", b"{", b"[1]", b"7", b"\xff"):
        told.flash.files[configure.PARTS] = garbage
        assert "part before it" in change(told, f"x{garbage!r}", PAIRS, after="1")["error"]
    assert told.config() == CONFIG


def test_parts_that_never_end_are_forgotten_with_the_next_change(told: Told) -> None:
    assert change(told, "1", [["led", True]], more=True)["ok"]
    assert told.set("2", "sample_s", 5)["ok"]
    assert told.config() == {**CONFIG, "sample_s": 5}
    assert "part before it" in change(told, "3", PAIRS, after="1")["error"]


def test_a_change_of_what_somebody_else_has_changed_meanwhile_is_refused(told: Told) -> None:
    mark = f"{crc32(told.flash.files['config.json']):08x}"
    assert change(told, "1", [["led", True]], more=True)["ok"]
    assert told.set("2", "sample_s", 5)["ok"]
    answer = change(told, "3", PAIRS, mark=mark)
    assert not answer["ok"] and "meanwhile" in answer["error"]
    assert told.config() == {**CONFIG, "sample_s": 5}
    mark = f"{crc32(told.flash.files['config.json']):08x}"
    assert change(told, "4", PAIRS, mark=mark)["ok"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([["sample_z", 1]], "did you mean"),
        ([["sample_s", 0], ["health_s", 60]], "whole number"),
        ([["mqtt.password", "x"]], "with the board at hand"),
        ([["mqtt", {"host": "broker.example", "password": "x"}]], "secrets.json"),
        ([["node"]], "missing"),
        ([["node.x", 1]], "no such key"),
        ([["sensors.1", {}]], "no such key"),
        ([["sensors.x"]], "no such key"),
        ([["sample_s", 1, 2]], "[key, value]"),
        ([[]], "[key, value]"),
        (["sample_s"], "[key, value]"),
        ([[7, 7]], "key must be a text"),
        ({"sample_s": 60}, "must be a list"),
        ("sample_s", "must be a list"),
    ],
)
def test_one_wrong_value_and_nothing_is_changed(told: Told, values: Any, why: str) -> None:
    written(told, {**CONFIG, "sensors": []})
    before = told.config()
    answer = change(told, "1", values)
    assert answer["ok"] is False and why in answer["error"], answer
    assert told.config() == before and "trial.json" not in told.flash.files
    assert told.applied == {} and told.restarts == 0


def test_what_only_the_owner_may_change_is_refused_among_others_too(told: Told) -> None:
    mine = {key: value for key, value in CONFIG.items() if key != "commands"}
    written(told, mine)
    first = change(told, "1", [["led", True]], more=True)
    answer = change(told, "2", [["mqtt.host", "thief.example"]], after="1")
    assert first["ok"] and not answer["ok"] and "with the board at hand" in answer["error"]
    answer = change(told, "3", [["commands", "all"], ["mqtt.host", "thief.example"]])
    assert not answer["ok"] and told.config() == mine


def test_items_of_a_list_come_at_its_end_and_go_from_its_end(told: Told) -> None:
    written(told, {**CONFIG, "sensors": SENSORS[:3]})
    assert change(told, "1", [["sensors.3", SENSORS[3]], ["sensors.0.pin", 20]])["ok"]
    assert [one["pin"] for one in told.config()["sensors"]] == [20, 1, 2, 3]
    told.start()
    told.step_trial(True, 1)
    for _ in range(3):
        told.acknowledge()
    assert change(told, "2", [["sensors.2"], ["sensors.2"], ["sensors.9"]])["ok"]
    assert [one["pin"] for one in told.config()["sensors"]] == [20, 1]
    told.start()
    told.step_trial(True, 1)
    for _ in range(3):
        told.acknowledge()
    assert change(told, "3", [["sensors.0"]])["ok"]
    assert told.config()["sensors"] == [], "from the first on"


def test_what_is_put_together_of_parts_is_bounded(told: Told) -> None:
    after: dict[str, str] = {}
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1]["ok"]:
        name = f"p{len(answers)}"
        answers.append(change(told, name, [[f"x{name}", "y" * 380]], more=True, **after))
        after = {"after": name}
    assert "more than 8192 bytes" in answers[-1]["error"] and 15 < len(answers) < 25
    assert len(told.flash.files[configure.PARTS]) <= 8192 and told.config() == CONFIG


@pytest.mark.parametrize("more", [True, False])
def test_a_flash_that_refuses_is_said_and_nothing_is_changed(told: Told, more: bool) -> None:
    told.flash.write_error = 28
    answer = change(told, "1", [["led", True]], more=more)
    told.flash.write_error = None
    assert not answer["ok"] and "flash refuses" in answer["error"]
    assert told.config() == CONFIG and "trial.json" not in told.flash.files


def test_an_oversized_part_is_refused_in_words(told: Told) -> None:
    told.inbox.receive(TOPIC, json.dumps({"id": "1", "x": "y" * 600}).encode(), False)
    told.commands.step()
    assert told.session.answers[-1]["error"] == "larger than 512 bytes"
