"""The plan by which emulated sensors are wired."""

from fieldpost.wired import devices
from fieldpost.wired.plan import plan


def test_what_is_said_goes_before_what_is_ordinary() -> None:
    made = plan(devices.parse(["bme280"]), 2.5, ["temperature=-3"])
    assert made["values"] == {
        "bme280": {"temperature": -3.0, "pressure": 1013.25, "humidity": 45.0}
    }
    assert made["sample_ms"] == 2500 and made["changes"] == []
    assert [one["type"] for one in made["sensors"]] == ["bme280"]
