"""The duty cycle's keys: low battery's limits are in order, a batch fits where it is kept."""

from __future__ import annotations

from typing import Any

from firmware.config import check as config

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


def errors_of(**keys: Any) -> list[str]:
    found = {"node": "n", "mqtt": {"host": "h"}, "sensors": [{"type": "simulated"}], **keys}
    return config.check(found, SECRETS)[1]


def test_a_node_must_not_stop_its_radio_before_it_saves() -> None:
    (error,) = errors_of(low_battery={"below_mv": 3300, "stop_mv": 3400})
    assert "low_battery.stop_mv" in error
    assert errors_of(low_battery={"below_mv": 3300, "stop_mv": 3000}) == []


def test_a_batch_must_fit_where_it_is_gathered() -> None:
    (error,) = errors_of(deliver_every=100, outbox={"flash_kib": 0, "ram_readings": 64})
    assert "deliver_every" in error and "64" in error
    assert errors_of(deliver_every=100, outbox={"ram_readings": 64}) == []
