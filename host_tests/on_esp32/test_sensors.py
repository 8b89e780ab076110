"""Emulated sensors at the pins of an emulated ESP32-C3, read by the genuine image and published.

The bus between them is the stand-in of docs/emulator.md; the drivers and the node are genuine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rigs.esp32_c3 import afresh, at_prompt, board_files, configuration, running
from rigs.wired_sensors import SAID, assert_as_told, wired, words

from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.scan.scan import scan
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

pytestmark = pytest.mark.timeout(240)

_I2C: dict[str, Any] = {"scl": 5, "sda": 4}
_EVERYTHING = [
    {"type": "bme280", **_I2C},
    {"type": "aht", **_I2C, "prefix": True},
    {"type": "bh1750", **_I2C},
    {"type": "ina219", **_I2C},
    {"type": "scd4x", **_I2C, "prefix": True},
    {"type": "sgp40", **_I2C},
    {"type": "sht3x", **_I2C, "prefix": True},
    {"type": "sht4x", **_I2C, "address": 0x45, "prefix": True},
    {"type": "analog", "pin": 0, "field": "level"},
    {"type": "soil", "pin": 1, "dry_mv": 2800, "wet_mv": 1200},
    {"type": "supply", "pin": 3, "scale": 2},
    {"type": "internal"},
]
_SAID = {**SAID, "supply_mv": 4100}


@afresh
def test_a_bme280_is_found_by_a_scan_where_it_is_wired(genuine: Path) -> None:
    bench = plan(devices.parse(["bme280"]), 1)
    with at_prompt(genuine, {}, wired=bench) as (_, link):
        (bus,) = scan(link).buses
        assert bus.pins == {"bus": 0, **_I2C}
        assert [(one.address, one.what, one.sure) for one in bus.devices] == [
            ("0x76", "BME280", True)
        ]


@afresh
def test_its_readings_are_what_was_told_change_in_time_and_an_absent_one_is_missing_at_once(
    genuine: Path, tmp_path: Path
) -> None:
    table = tmp_path / "night.csv"
    table.write_text("seconds,pressure\n6,1002.5\n")
    config = configuration(
        sensors=[{"type": "bme280", **_I2C}, {"type": "sht3x", **_I2C, "prefix": True}]
    )
    said = ["bme280.temperature=-7.25", "humidity=40", "pressure=1001.5", "sht3x=absent"]
    with running(genuine, board_files(config), wired=wired(config, said, table)) as desk:
        desk.console.wait_for("by hand: /machine.mpy", 20)
        desk.wait(lambda: (1, 0) in desk.account.delivered, 40, "a reading at the broker")
        first = desk.account.delivered[1, 0]
        assert (first["temperature"], first["humidity"]) == (-7.25, 40)
        assert first["failed"] == ["sht3x"]
        assert any("sht3x: OSError 19 " in one for one in desk.console.lines), desk.console.lines
        pressures = [1001.5, 1002.5]
        desk.wait(
            lambda: any(
                one["pressure"] == pressures[1] for one in desk.account.delivered.values()
            ),
            30,
            "what the table says",
        )
        assert {one["pressure"] for one in desk.account.delivered.values()} <= set(pressures)


@afresh
def test_each_type_that_can_be_wired_gives_what_it_was_told_and_leaves_heap(
    genuine: Path,
) -> None:
    assert {one["type"] for one in _EVERYTHING} == ESP32_C3.wires - {"driver"}
    config = configuration(sample_s=10, sensors=_EVERYTHING)
    with running(genuine, board_files(config), wired=wired(config, words(_SAID))) as desk:
        desk.wait(lambda: (1, 1) in desk.account.delivered, 60, "two readings at the broker")
        reading = desk.account.delivered[1, 1]
        desk.wait(lambda: bool(desk.health), 10, "a health report")
        print(f"free heap {desk.health['free']} bytes")
    assert "failed" not in reading, (reading, desk.console.lines)
    assert_as_told(reading, _SAID)
