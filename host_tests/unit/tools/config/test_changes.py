"""What is about to change in a configuration is told key by key, and never a credential."""

from __future__ import annotations

import pytest

from fieldpost.config.changes import changes

_OLD = {"node": "a", "sample_s": 60, "mqtt": {"host": "h"}, "sensors": [{"type": "internal"}]}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (_OLD, []),
        ({**_OLD, "sample_s": 300}, ["sample_s: 60 → 300"]),
        ({**_OLD, "mqtt": {"host": "h", "keepalive_s": 9}}, ["mqtt.keepalive_s: 9 (new)"]),
        ({key: _OLD[key] for key in ("node", "mqtt", "sensors")}, ["sample_s: 60 → not set"]),
        ({**_OLD, "led": True}, ["led: true (new)"]),
        (
            {**_OLD, "sensors": [{"type": "internal", "prefix": True}, {"type": "dht", "pin": 4}]},
            ["sensors.0.prefix: true (new)", 'sensors.1: {"type": "dht", "pin": 4} (new)'],
        ),
        ({**_OLD, "sensors": []}, ['sensors.0: {"type": "internal"} → not set']),
        (
            {**_OLD, "sensors": [{"type": "supply"}]},
            ['sensors.0: {"type": "internal"} → {"type": "supply"}'],
        ),
    ],
)
def test_each_key_that_differs_is_told_with_both_values(new: object, told: list[str]) -> None:
    assert [str(one) for one in changes(_OLD, new)] == told


def test_true_is_not_one() -> None:
    assert [str(one) for one in changes({"led": 1}, {"led": True})] == ["led: 1 → true"]


def test_no_credential_is_told_wherever_it_stands() -> None:
    old = {"mqtt": {"host": "h", "password": "marker-1"}, "note": {"wifi_psk": "marker-2"}}
    new = {"mqtt": {"host": "h", "password": "marker-3"}, "extra": [{"token": "marker-4"}]}
    told = [str(one) for one in changes(old, new)]
    assert len(told) == 3 and "marker-" not in " ".join(told), told
    secrets = {"wifi": [{"ssid": "marker-5", "password": "marker-6"}]}
    other = {"wifi": [{"ssid": "marker-7", "password": "marker-6"}], "mqtt": {"user": "marker-8"}}
    told = [str(one) for one in changes(secrets, other, hidden=True)]
    assert told == ["wifi.0.ssid: changed (not shown)", "mqtt: (not shown) (new)"]
