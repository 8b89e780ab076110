"""The duty cycle's keys: alarms name what is published, low battery's limits are in order."""

from __future__ import annotations

from typing import Any

from firmware import config

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


def errors_of(**keys: Any) -> list[str]:
    found = {"node": "n", "mqtt": {"host": "h"}, "sensors": [{"type": "simulated"}], **keys}
    return config.check(found, SECRETS)[1]


def test_an_alarm_for_a_field_that_no_sensor_publishes_names_those_that_are() -> None:
    (error,) = errors_of(alarms=[{"field": "temprature", "above": 30}])
    assert "alarms[0].field" in error and "temperature, humidity" in error
    assert errors_of(alarms=[{"field": "temperature", "above": 30, "change": 2.5}]) == []


def test_an_alarm_without_a_threshold_is_refused() -> None:
    (error,) = errors_of(alarms=[{"field": "temperature"}])
    assert "above, below or change" in error


def test_a_node_must_not_stop_its_radio_before_it_saves() -> None:
    (error,) = errors_of(low_battery={"below_mv": 3300, "stop_mv": 3400})
    assert "low_battery.stop_mv" in error
    assert errors_of(low_battery={"below_mv": 3300, "stop_mv": 3000}) == []


def test_a_batch_must_fit_where_it_is_gathered() -> None:
    (error,) = errors_of(deliver_every=100, outbox={"flash_kib": 0, "ram_readings": 64})
    assert "deliver_every" in error and "64" in error
    assert errors_of(deliver_every=100, outbox={"ram_readings": 64}) == []
