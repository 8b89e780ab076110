"""Which sensors an emulated board has, and what the command says of them."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.emulator.sensors import Told, Wired, wire
from fieldpost.errors import CommandError
from firmware.config import check

_SECRETS = {"wifi": [{"ssid": "x", "password": "no-password"}]}
_INDOOR = {"type": "bme280", "scl": 5, "sda": 4, "name": "indoor"}


def _wire(engine: Engine, *sensors: dict[str, Any], **told: Any) -> Wired:
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors)}
    settings, errors = check.check(config, _SECRETS)
    assert settings, errors
    return wire(engine, sensors, settings["sensors"], 1, Told(**told))


def test_what_is_wired_is_said_with_its_pins() -> None:
    wired = _wire(PICO_W, _INDOOR, {"type": "simulated", "prefix": True})
    assert wired.plan and [one["name"] for one in wired.plan["sensors"]] == ["indoor"]
    assert wired.lines == ["Wired to it: indoor (bme280) at 0x76, SCL 5, SDA 4"]


def test_what_has_no_device_is_said_before_it_fails() -> None:
    wired = _wire(ESP32_C3, _INDOOR)
    assert wired.plan is None
    assert wired.lines == [
        "Not there, for want of an emulated device, and so failing: indoor (bme280)"
    ]


def test_a_device_beside_the_configuration_is_told_what_it_measures() -> None:
    wired = _wire(PICO_W, extra=["bme280@0x77"], settings=["temperature=4"])
    assert wired.plan and wired.plan["values"]["bme280"]["temperature"] == 4
    assert wired.lines == ["Wired to it: bme280 at 0x77, SCL 5, SDA 4"]


def test_a_board_without_sensors_takes_nothing_that_is_said_of_them() -> None:
    with pytest.raises(CommandError, match="no sensor can be wired to the emulated ESP32-C3"):
        _wire(ESP32_C3, settings=["temperature=4"])
    with pytest.raises(CommandError, match="no sensor has 'temprature'"):
        _wire(PICO_W, _INDOOR, settings=["temprature=4"])
    with pytest.raises(CommandError, match="no sensor has"):
        _wire(PICO_W, settings=["temperature=4"])
