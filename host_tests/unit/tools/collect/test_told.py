"""What a collector says: of many messages some, of itself all."""

from __future__ import annotations

import json

import pytest

from fieldpost.collect.told import Told


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_of_bad_messages_hides_nothing_of_the_collector(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    told = Told(as_json=False, now=clock)
    for number in range(1000):
        told.say_of_many(f"rejected: {number}")
    told.say("connection lost")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21 and lines[-1] == "connection lost"
    clock.now = 61
    told.say_of_many("rejected: one")
    assert capsys.readouterr().err.splitlines() == [
        "980 more of this kind were not told",
        "rejected: one",
    ]


def test_a_text_from_outside_can_not_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Told(as_json=False).say_of_many("rejected: fieldpost/\x1b[2J/telemetry: no\nline")
    (line,) = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line


def test_a_script_gets_an_object_in_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(as_json=True)
    told.say("one\ntwo")
    told.how_far("3 readings stored")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["text"] == "one\ntwo"


def test_where_nobody_looks_the_account_comes_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    told = Told(as_json=False, now=clock)
    for second in range(0, 1300, 10):
        clock.now = float(second)
        told.how_far(f"at {second}")
    assert capsys.readouterr().err.splitlines() == ["at 600", "at 1200"]
