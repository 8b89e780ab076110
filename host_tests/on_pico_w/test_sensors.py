"""Emulated sensors at the pins of an emulated Pico W, read by the genuine image and published."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.pico_w import Desk, board_files, configuration, image
from rigs.wired_sensors import SAID, assert_as_told, wired, words

from fieldpost.board.link import open_link
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(100)]

_I2C: dict[str, Any] = {"scl": 5, "sda": 4, "bus": 0}
_I2C_1: dict[str, Any] = {"scl": 7, "sda": 6, "bus": 1}
_EVERYTHING = [
    {"type": "bme280", **_I2C},
    {"type": "aht", **_I2C, "prefix": True},
    {"type": "bh1750", **_I2C},
    {"type": "ina219", **_I2C},
    {"type": "scd4x", **_I2C_1, "prefix": True},
    {"type": "sgp40", **_I2C_1},
    {"type": "sht3x", **_I2C_1, "prefix": True},
    {"type": "sht4x", **_I2C_1, "address": 0x45, "prefix": True},
    {"type": "analog", "pin": 26, "field": "level"},
    {"type": "soil", "pin": 27, "dry_mv": 2800, "wet_mv": 1200},
    {"type": "internal"},
    {"type": "digital", "pin": 15, "field": "door"},
    {"type": "pulses", "pin": 14, "field": "litres"},
]
_SAID = {**SAID, "door": 1, "litres": 3}


def _desk(sensors: list[dict[str, Any]], said: list[str], sample_s: float) -> Desk:
    config = configuration(sample_s=sample_s, sensors=sensors)
    return Desk(board_files(config), wired(config, said))


def test_a_bme280_is_read_as_it_was_told_and_an_absent_one_is_missing_at_once() -> None:
    sensors = [{"type": "bme280", **_I2C}, {"type": "sht3x", **_I2C, "prefix": True}]
    said = ["bme280.temperature=-7.25", "humidity=40", "pressure=1001.5", "sht3x=absent"]
    with _desk(sensors, said, 1) as desk:
        desk.wait(lambda: (1, 1) in desk.account.delivered, 40, "two readings at the broker")
        reading = desk.account.delivered[1, 1]
        assert reading["temperature"] == -7.25
        assert (reading["humidity"], reading["pressure"]) == (40, 1001.5)
        assert reading["failed"] == ["sht3x"]
        assert any("sht3x: OSError 5 no answer" in one for one in desk.console.lines), (
            desk.console.lines
        )


def test_each_type_that_can_be_wired_gives_what_it_was_told() -> None:
    assert {one["type"] for one in _EVERYTHING} == PICO_W.wires - {"driver", "supply"}
    with _desk(_EVERYTHING, words(_SAID), 10) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, 60, "three readings at the broker")
        reading = desk.account.delivered[1, 2]
    assert "failed" not in reading, (reading, desk.console.lines)
    assert_as_told(reading, _SAID)


def test_the_supply_is_at_the_converters_input_that_a_pico_w_has_for_it() -> None:
    """By hand: a node measures it before its radio is on, or not at all."""
    supply = plan(devices.parse(["supply"]), 1, ["supply_mv=4200"])
    code = "from machine import ADC\nprint(ADC(29).read_u16() * 3 * 3300 // 65535)"
    with Emulator(image(), files={}, wired=supply) as board, open_link(board.console) as link:
        assert int(link.exec(code)) == pytest.approx(4200, abs=5)
