"""What is asked about a board is refused for the firmware's own reasons, and no secret is told."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpost.errors import CommandError
from fieldpost.serve.set_up.job import Told, answers_of, refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [("node", "bench-1"), ("ssid", "FRITZ!Box"), ("password", ""), ("broker", "mqtt://10.0.0.1")],
)
def test_what_a_node_can_be_is_taken(name: str, value: str) -> None:
    assert refusal(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node", "Not A Name"),
        ("node", ""),
        ("ssid", "x" * 33),
        ("password", "short"),
        ("broker", "http://10.0.0.1"),
        ("broker", "mqtt://10.0.0.1:99999"),
        ("colour", "red"),
    ],
)
def test_what_it_can_not_be_is_refused_without_repeating_a_password(name: str, value: str) -> None:
    told = refusal(name, value)
    assert told and "short" not in told


@pytest.mark.parametrize("told", [{}, {"node": "n"}, {"node": 5, "ssid": "", "password": ""}])
def test_answers_that_are_none_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        answers_of(told)


def test_the_page_is_told_of_a_board_and_not_of_a_port_that_nobody_knows() -> None:
    told: list[dict[str, Any]] = []
    screen = Told(told.append)
    screen.say("socket://127.0.0.1:5", "nothing on socket://127.0.0.1:5 answers")
    screen.progress("socket://127.0.0.1:5", "sending", 3, 10)
    assert told == [
        {"kind": "say", "text": "nothing on the board answers"},
        {"kind": "progress", "text": "sending", "done": 3, "total": 10},
    ]
