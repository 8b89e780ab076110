"""What is typed after `fieldpost cmd NODE DO`, as the arguments that a node takes."""

from typing import Any

import pytest

from fieldpost.errors import CommandError
from fieldpost.messages.cmd import parse_arguments


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("get sample_s", {"key": "sample_s"}),
        ("get mqtt.host", {"key": "mqtt.host"}),
        ("get key=sample_s", {"key": "sample_s"}),
        ("get", {}),
        ("set sample_s=4", {"key": "sample_s", "value": 4}),
        ("set sample_s 4", {"key": "sample_s", "value": 4}),
        ("set mqtt.host=broker.lan", {"key": "mqtt.host", "value": "broker.lan"}),
        ("set mqtt.base=a=b", {"key": "mqtt.base", "value": "a=b"}),
        ("set sensors.0.pin=26", {"key": "sensors.0.pin", "value": 26}),
        ("set sample_s=4 led=false", {"values": [["sample_s", 4], ["led", False]]}),
        ("set key=sample_s value=4", {"key": "sample_s", "value": 4}),
        ("set key=sample_s", {"key": "sample_s"}),
        ('set values=[["led"]] mark=5e1f09a2', {"values": [["led"]], "mark": "5e1f09a2"}),
        ("stay_awake 10", {"minutes": 10}),
        ("stay_awake minutes=10", {"minutes": 10}),
        ("safe_mode off", {"on": False}),
        ("safe_mode on", {"on": True}),
        ("safe_mode on=false", {"on": False}),
        ("safe_mode perhaps", {"on": "perhaps"}),
        ("newer_than_this a=1", {"a": 1}),
    ],
)
def test_the_short_form_says_what_the_long_one_does(typed: str, sent: dict[str, Any]) -> None:
    do, *words = typed.split(" ")
    assert parse_arguments(words, do) == sent


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("set sample_s", "'sample_s': an argument is NAME=VALUE, such as sample_s=60"),
        ("set a=1 b", "'b': an argument is NAME=VALUE"),
        ("get sample_s led", "'sample_s': an argument is NAME=VALUE"),
        ("log 5", "'5': an argument is NAME=VALUE"),
        ("set =4", "NAME=VALUE"),
        ("set id=3", "it is made here"),
    ],
)
def test_what_says_nothing_is_refused_with_what_would(typed: str, why: str) -> None:
    do, *words = typed.split(" ")
    with pytest.raises(CommandError) as caught:
        parse_arguments(words, do)
    assert why in str(caught.value)
