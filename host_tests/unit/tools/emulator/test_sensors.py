"""Which sensors an emulated board has, and what the command says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.littlefs import Geometry
from fieldpost.emulator.machine import Machine
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.emulator.sensors import Told, Wired, wire
from fieldpost.emulator.setup import Setup
from fieldpost.errors import CommandError
from firmware.config import check

_SECRETS = {"wifi": [{"ssid": "x", "password": "no-password"}]}
_INDOOR = {"type": "bme280", "scl": 5, "sda": 4, "name": "indoor"}


class _WithoutSensors(Engine):
    title = "board"

    def file_system(self, image: Path) -> Geometry:
        raise NotImplementedError

    def missing(self, program: str | None = None) -> str | None:
        return None

    def machine(self, setup: Setup) -> Machine:
        raise NotImplementedError


def _wire(engine: Engine, *sensors: dict[str, Any], **told: Any) -> Wired:
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors)}
    settings, errors = check.check(config, _SECRETS)
    assert settings, errors
    return wire(engine, sensors, settings["sensors"], 1, Told(**told))


def test_what_is_wired_is_said_with_its_pins() -> None:
    wired = _wire(PICO_W, _INDOOR, {"type": "simulated", "prefix": True})
    assert wired.plan and [one["name"] for one in wired.plan["sensors"]] == ["indoor"]
    assert wired.lines == ["Wired to it: indoor (bme280) at 0x76, SCL 5, SDA 4"]


def test_an_esp32_c3_says_that_its_bus_is_a_stand_in() -> None:
    wired = _wire(ESP32_C3, _INDOOR)
    assert wired.plan and [one["name"] for one in wired.plan["sensors"]] == ["indoor"]
    assert wired.lines == [
        "Wired to it: indoor (bme280) at 0x76, SCL 5, SDA 4",
        "QEMU has no such devices: /machine.mpy in its flash leads I2C and ADC to them.",
    ]


def test_what_has_no_device_is_said_before_it_fails() -> None:
    wired = _wire(ESP32_C3, {"type": "digital", "pin": 3, "field": "door"})
    assert wired.plan is None
    assert wired.lines == ["Not there, for want of an emulated device, and so failing: digital"]


def test_the_supply_of_an_esp32_c3_is_measured_at_a_pin_or_not_at_all() -> None:
    at_pin = _wire(ESP32_C3, {"type": "supply", "pin": 3, "scale": 2})
    assert at_pin.lines[0] == "Wired to it: supply, PIN 3"
    wired = _wire(ESP32_C3, {"type": "supply"})
    assert wired.plan is None and "failing: supply" in wired.lines[0]
    assert _wire(PICO_W, {"type": "supply"}).plan


def test_a_device_beside_the_configuration_is_told_what_it_measures() -> None:
    wired = _wire(PICO_W, extra=["bme280@0x77"], settings=["temperature=4"])
    assert wired.plan and wired.plan["values"]["bme280"]["temperature"] == 4
    assert wired.lines == ["Wired to it: bme280 at 0x77, SCL 5, SDA 4"]


def test_a_board_without_sensors_takes_nothing_that_is_said_of_them() -> None:
    with pytest.raises(CommandError, match="no sensor can be wired to the emulated board"):
        _wire(_WithoutSensors(), settings=["temperature=4"])
    with pytest.raises(CommandError, match="no sensor has 'temprature'"):
        _wire(PICO_W, _INDOOR, settings=["temprature=4"])
    with pytest.raises(CommandError, match="no sensor has"):
        _wire(PICO_W, settings=["temperature=4"])
