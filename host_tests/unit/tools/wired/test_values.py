"""What may be said of emulated sensors, and what is said to somebody who says something else."""

from pathlib import Path
from typing import Any

import pytest

from fieldpost.errors import CommandError
from fieldpost.wired.values import Emulated
from firmware.config import check

_SENSORS = [
    {"type": "bme280", "scl": 5, "sda": 4, "name": "indoor"},
    {"type": "sht3x", "scl": 5, "sda": 4, "name": "out", "prefix": "out"},
    {"type": "ds18x20", "pin": 3, "name": "pipes", "prefix": True},
    {"type": "driver", "driver": "a:B", "scl": 5, "sda": 4, "address": 72, "prefix": True},
    {"type": "simulated", "prefix": True},
]


def emulated(*sensors: dict[str, Any]) -> Emulated:
    given = {"node": "desk", "mqtt": {"host": "x"}, "sensors": list(sensors or _SENSORS)}
    settings, errors = check.check(given, {"wifi": [{"ssid": "x", "password": ""}]})
    assert settings, errors
    return Emulated(settings["sensors"])


def test_a_field_means_every_sensor_that_has_it() -> None:
    assert emulated().told(["temperature=3", "pressure=990.5"]) == {
        "indoor": {"temperature": 3.0, "pressure": 990.5},
        "out": {"temperature": 3.0},
        "pipes": {"temperature": 3.0},
    }


@pytest.mark.parametrize("key", ["out.humidity", "out_humidity", "out.out_humidity"])
def test_one_sensor_is_meant_by_its_name_or_by_what_it_publishes(key: str) -> None:
    assert emulated().told([f"{key}=61"]) == {"out": {"humidity": 61.0}}


def test_a_driver_of_ones_own_is_told_its_chips_registers() -> None:
    told = emulated().told(["driver.0x0f=0x0117", "driver.2=0xFF"])
    assert told == {"driver": {"15": "0117", "2": "FF"}}


def test_a_driver_at_a_pin_is_told_its_voltage_or_its_level() -> None:
    uv = emulated({"type": "driver", "driver": "a:B", "pin": 26, "name": "uv"})
    assert uv.told(["uv.mv=650.5", "uv.level=1"]) == {"uv": {"mv": 650.5, "level": 1}}
    for key, why in (
        ("uv.0x00=0x01", r"\(there is uv.mv, uv.level\)"),
        ("uv.mw=5", "did you mean uv.mv"),
        ("uv.level=2", "0 to 1"),
    ):
        with pytest.raises(CommandError, match=why):
            uv.told([key])


def test_what_is_no_register_cannot_be_told_of_a_chip() -> None:
    with pytest.raises(CommandError, match=r"no sensor has 'driver\.temperature'"):
        emulated().told(["driver.temperature=21"])


def test_a_device_can_be_unplugged() -> None:
    assert emulated().told(["indoor=absent"]) == {"indoor": {"": "absent"}}


def test_each_of_several_thermometers_is_told_by_its_number() -> None:
    ids = ["28-00000a1b2c3d", "28-00000a1b2c3e"]
    probes = emulated({"type": "ds18x20", "pin": 3, "devices": ids})
    told = probes.told(["temperature_00000a1b2c3e=-4"])
    assert told == {"ds18x20": {"temperature_00000a1b2c3e": -4.0}}
    with pytest.raises(CommandError, match="measures -55 to 125"):
        probes.told(["temperature_00000a1b2c3e=200"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("temperature", "it looks like temperature=21.5"),
        ("tempreture=3", "did you mean temperature?"),
        ("cellar.temperature=3", "no sensor has 'cellar.temperature'"),
        ("indoor.co2=3", "no sensor has 'indoor.co2'"),
        ("simulated.temperature=3", "makes its values up"),
        ("temperature=warm", "'warm' is no number"),
        ("temperature=nan", "no number that can be measured"),
        ("pressure=20", "bme280 measures 300 to 1100"),
        ("driver.0=12", "is not its bytes"),
        ("indoor=gone", "no sensor has 'indoor'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(text: str, why: str) -> None:
    with pytest.raises(CommandError) as caught:
        emulated().told([text])
    assert why in str(caught.value)


def test_a_table_says_what_is_measured_when(tmp_path: Path) -> None:
    table = tmp_path / "night.csv"
    table.write_text("\ufeffseconds,indoor.temperature,out\n2.5,19,\n0,20,absent\n\n4,,present\n")
    assert emulated().table(table) == [
        (0, {"indoor": {"temperature": 20.0}, "out": {"": "absent"}}),
        (2500, {"indoor": {"temperature": 19.0}}),
        (4000, {"out": {"": "present"}}),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the first of them is seconds"),
        ("time,temperature\n0,1\n", "the first of them is seconds"),
        ("seconds,temperature\n0,1\n1,hot\n", "line 3: temperature: 'hot' is no number"),
        ("seconds,heat\n0,1\n", "line 2: no sensor has 'heat'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_line(
    tmp_path: Path, text: str, why: str
) -> None:
    table = tmp_path / "night.csv"
    table.write_text(text)
    with pytest.raises(CommandError) as caught:
        emulated().table(table)
    assert why in str(caught.value)
    with pytest.raises(CommandError, match="cannot read"):
        emulated().table(tmp_path / "none.csv")


def test_every_field_of_every_type_has_a_value_by_itself() -> None:
    ordinary = emulated().ordinary()
    assert ordinary["indoor"] == {"temperature": 21.5, "pressure": 1013.25, "humidity": 45.0}
    assert ordinary["driver"] == ordinary["simulated"] == {}
