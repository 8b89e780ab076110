"""Emulated sensors of a whole configuration at an emulated board: what they are told, and whether
a reading says so."""

from pathlib import Path
from typing import Any

import pytest

from fieldpost.wired.plan import plan
from firmware.config import check

_SECRETS = {"wifi": [{"ssid": "x", "password": "no-password"}]}
# What each emulated board can be wired with: field -> value.
SAID: dict[str, float] = {
    "temperature": 30.5,
    "humidity": 61,
    "pressure": 987.6,
    "illuminance": 250,
    "voltage": 12,
    "current": 0.2,
    "co2": 812,
    "voc_raw": 31000,
    "level": 1.25,
    "soil_moisture": 25,
    "die_temperature": 35,
}
# The sensor of the only one that several could publish has a prefix.
_PUBLISHED = {"co2": "scd4x_co2"}
# Beside the BME280, each with its prefix.
_OTHER_THERMOMETERS = ("aht", "scd4x", "sht3x", "sht4x")


def wired(config: dict[str, Any], said: list[str], table: Path | None = None) -> dict[str, Any]:
    """The plan of a config.json's sensors. said, table: as `--set` and `--values`."""
    settings, errors = check.check(config, _SECRETS)
    assert settings, errors
    return plan(settings["sensors"], settings["sample_s"], said, table)


def words(said: dict[str, float]) -> list[str]:
    """As they are typed behind `--set`."""
    return [f"{key}={value}" for key, value in said.items()]


def assert_as_told(reading: dict[str, Any], said: dict[str, float]) -> None:
    """Each field is what it was told, as far as its sensor can tell it apart."""
    wrong = {
        key: (value, reading[_PUBLISHED.get(key, key)])
        for key, value in said.items()
        if reading[_PUBLISHED.get(key, key)]
        != pytest.approx(value, rel=0.02, abs=1 if key == "litres" else 0)
    }
    assert not wrong, wrong
    for other in _OTHER_THERMOMETERS:
        assert reading[f"{other}_temperature"] == pytest.approx(30.5, abs=0.1), reading
