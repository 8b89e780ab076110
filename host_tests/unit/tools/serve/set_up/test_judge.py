"""What is typed on the page is refused for the firmware's own reasons, at its key; no secret is
told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fieldpost.errors import CommandError
from fieldpost.serve.set_up.judge import Remark, file_of, judged, loaded

CONFIG: dict[str, Any] = {"node": "bench-1", "mqtt": {"host": "10.0.0.1"}}
SECRETS: dict[str, Any] = {"wifi": [{"ssid": "desk", "password": "correct horse"}]}


def at(config: dict[str, Any], secrets: dict[str, Any] | None = None) -> set[str]:
    """The keys at which something is wrong."""
    return {one.at for one in judged({**CONFIG, **config}, secrets or SECRETS).errors}


def test_what_a_node_takes_is_taken() -> None:
    assert judged(CONFIG, SECRETS).errors == [] == judged(CONFIG, SECRETS).notes


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"node": "Not A Name"}, "node"),
        ({"mqtt": {}}, "mqtt.host"),
        ({"mqtt": {"host": "h", "timeout_s": 60}}, "mqtt.timeout_s"),
        ({"wifi": {"static": {"address": "10.0.0.9"}}}, "wifi.static.gateway"),
        ({"sensors": [{"type": "internal"}, {"type": "dht"}]}, "sensors[1].pin"),
        ({"sensors": [{"type": "bme"}]}, "sensors[0].type"),
        ({"sensors": [{"type": "driver", "driver": "nothing", "pin": 5}]}, "sensors[0].driver"),
        ({"board": "pico-w", "sensors": [{"type": "dht", "pin": 25}]}, "sensors[0].pin"),
        ({"mqtt": {"host": "h", "tls": {"cert_file": "c", "ca_file": "a"}}}, "mqtt.tls"),
    ],
)
def test_what_is_wrong_is_told_at_its_key(config: dict[str, Any], where: str) -> None:
    assert where in at(config)


def test_what_is_wrong_with_a_secret_is_told_without_it() -> None:
    told = judged(CONFIG, {"wifi": [{"ssid": "desk", "password": "short"}], "mqtt": {"user": 5}})
    assert [one.at for one in told.errors] == ["secrets.wifi[0].password", "secrets.mqtt.user"]
    assert "short" not in str(told)


def test_what_may_be_wrong_is_told_beside_it() -> None:
    told = judged({**CONFIG, "mqtt": {"host": "127.0.0.1"}, "board": "odd"}, SECRETS)
    assert told.errors == []
    assert {one.at for one in told.notes} == {"mqtt.host", "board"}


def test_pins_are_judged_before_all_else_is_typed() -> None:
    config = {"board": "pico-w", "sensors": [{"type": "dht", "pin": 25}]}
    told = judged(config, {"wifi": [{"password": ""}]})
    assert [one.at for one in told.errors] == [
        "node",
        "mqtt.host",
        "secrets.wifi[0].ssid",
        "sensors[0].pin",
    ]


@pytest.mark.parametrize("config", [{}, {"node": {"a": [[[]]]}}, {"": ""}, {"sensors": [[], 5]}])
def test_nonsense_is_judged_too(config: dict[str, Any]) -> None:
    assert judged(config, {}).errors and all(
        isinstance(one, Remark) for one in judged({}, {}).errors
    )


def test_a_file_is_loaded_without_what_the_form_has_no_place_for() -> None:
    text = {**CONFIG, "colour": "red", "wifi": 5, "sensors": [{"type": "dht", "pin": 4, "pim": 5}]}
    found = loaded(json.dumps(text))
    assert found.config == {**CONFIG, "sensors": [{"type": "dht", "pin": 4}]}
    assert len(found.left_out) == 3 and "colour" in " ".join(found.left_out)
    # What is wrong at a key that the form has stays, to be mended there.
    assert loaded(json.dumps({**CONFIG, "sample_s": "soon"})).config["sample_s"] == "soon"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("[]", "not a JSON object"),
        ('{"node": "a", "node": "b"}', "twice"),
        (json.dumps(SECRETS), "secrets.json"),
        ("\ud800", "UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CommandError, match=why) as refused:
        loaded(text)
    assert "correct horse" not in str(refused.value)


def test_a_file_to_be_kept_has_no_credential_and_no_error() -> None:
    text = file_of({"mqtt": {"host": "h"}, "sample_s": 30, "node": "bench-1"})
    assert list(json.loads(text)) == ["node", "mqtt", "sample_s"]
    for wrong in ({**CONFIG, "password": "correct horse"}, {**CONFIG, "sample_s": 0}):
        with pytest.raises(CommandError) as refused:
            file_of(wrong)
        assert "correct horse" not in str(refused.value)
