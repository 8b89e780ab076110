"""A setting is refused here for the same reasons as on a node, and in its words."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpost.serve.settings import known, read_value, refusal


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_s", 60),
        ("mqtt.keepalive_s", 60),
        ("led", True),
        ("mode", "duty_cycle"),
        ("log_level", "info"),
    ],
)
def test_what_a_node_may_take_is_let_through(key: str, value: Any) -> None:
    assert refusal(key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sample_s", "soon", "sample_s"),
        ("sample_s", 0, "sample_s"),
        ("mode", "sometimes", "mode"),
        ("mqtt.keepalive_s", -1, "keepalive_s"),
        ("sampel_s", 5, "unknown key"),
        ("mqtt.nothing", 5, "unknown key"),
        ("node.deeper", 5, "no such key"),
        ("", 5, "type the key"),
        ("sensors.0.pin", 5, "config push"),
        ("password", "x", "secrets.json"),
    ],
)
def test_what_no_node_takes_is_refused_with_the_reason(key: str, value: Any, says: str) -> None:
    told = refusal(key, value)
    assert told and says in told


def test_each_default_that_is_listed_would_be_taken() -> None:
    for one in known():
        if one["default"] in ("", "required"):
            continue
        assert refusal(one["key"], read_value(one["default"])) is None, one


def test_what_is_typed_is_json_else_text() -> None:
    typed = {
        "5": 5,
        "true": True,
        "null": None,
        "abc": "abc",
        '"5"': "5",
        "NaN": "NaN",
        "[1": "[1",
        "": "",
    }
    assert {text: read_value(text) for text in typed} == typed
