"""What is told of one wake: how long each part of it took."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from firmware.duty_cycle.profile import profile

BEGAN = {"began_ms": 1000, "sampled_ms": 1040, "delivers": False, "done_ms": None, "up_ms": None}
DELIVERED = {"delivers": True, "up_ms": 1900, "open_ms": 1960, "done_ms": 2050}


def told(now_ms: int, report: Any = None, **wake: Any) -> dict[str, Any]:
    line = profile(SimpleNamespace(**{**BEGAN, **wake}), 650, now_ms, report)
    assert line.startswith("profile ")
    return json.loads(line[8:])


def test_a_wake_that_only_measures_has_its_start_and_its_sensors_time() -> None:
    assert told(1050) == {"boot_ms": 650, "sample_ms": 40}


def test_a_wake_that_delivers_has_each_part() -> None:
    assert told(2060, {"readings": 5}, **DELIVERED) == {
        "boot_ms": 650,
        "sample_ms": 40,
        "join_ms": 900,
        "connect_ms": 60,
        "deliver_ms": 90,
        "readings": 5,
    }


def test_a_sensor_slower_than_the_network_is_no_time_of_the_networks() -> None:
    slow = told(4000, {"readings": 1}, **{**DELIVERED, "sampled_ms": 3000, "open_ms": 3010})
    assert (slow["sample_ms"], slow["connect_ms"]) == (2000, 10)


def test_a_wake_that_gave_up_counts_what_it_spent_on_trying() -> None:
    assert told(9000, delivers=True) == {
        "boot_ms": 650,
        "sample_ms": 40,
        "join_ms": 8000,
        "readings": 0,
    }
    joined = told(9000, delivers=True, up_ms=1900)
    assert (joined["join_ms"], joined["readings"]) == (900, 0)
