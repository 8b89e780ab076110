"""A sleeping node whose sensor measures several times, with every nth reading, and alarms."""

from __future__ import annotations

import pytest
from rigs.field import Field

_SLOW = {
    "type": "driver",
    "driver": "fakes.slow_sensor:Slow",
    "fields": ["level"],
    "median": 3,
    "every": 2,
    "alarms": [{"field": "level", "above": 1}],
}


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_wake_waits_for_every_measurement_and_an_alarm_finds_the_radio_on_already(
    port: str,
) -> None:
    field = Field(port, [{"type": "internal"}, _SLOW], hours=0.75)
    field.run.play()
    assert [one["seq"] for one in field.readings] == list(range(9))
    # 1, 2, 3 and so on; an ESP32's driver starts afresh with each wake.
    levels = {"esp32": [2] * 5, "rp2": [2, 5, 8, 11, 14]}[port]
    assert [one.get("level") for one in field.readings][::2] == levels
    assert not [one for one in field.readings[1::2] if "level" in one]
    assert all("die_temperature" in one for one in field.readings)
    # Three times 300 ms: the reading stands where the last of them ends.
    assert field.times()[2] - field.times()[1] == pytest.approx(300.9, abs=0.3)
