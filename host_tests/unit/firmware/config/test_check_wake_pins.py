"""Pins that are to be minded in sleep: what the chip cannot do is refused, with the reason."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from firmware.config import check as config

_SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
_CLASSIC = "Generic ESP32 module with ESP32"


def errors_of(machine: str, *sensors: dict[str, Any], **keys: Any) -> list[str]:
    found = {"node": "n", "mode": "duty_cycle", "mqtt": {"host": "h"}, "sensors": list(sensors)}
    found.update(keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.implementation, "_machine", machine, raising=False)
        return config.check(found, _SECRETS)[1]


def rain(pin: int, **keys: Any) -> dict[str, Any]:
    return {"type": "pulses", "name": f"rain{pin}", "prefix": True, "pin": pin, **keys}


def door(pin: int) -> dict[str, Any]:
    return {"type": "digital", "pin": pin, "wake": True}


@pytest.mark.parametrize(
    ("machine", "good", "bad"),
    [
        (_CLASSIC, 27, 5),
        ("Olimex with ESP32-PICO-D4", 4, 16),
        ("ESP32C3 module with ESP32C3", 5, 6),
        ("Lolin C3 mini with ESP32-C3FH4", 0, 7),
        ("Generic ESP32S3 module with ESP32S3", 21, 38),
        ("ESP32C6 module with ESP32C6", 7, 8),
    ],
)
def test_a_pin_that_cannot_wake_the_chip_is_refused_with_those_that_can(
    machine: str, good: int, bad: int
) -> None:
    assert errors_of(machine, rain(good)) == []
    (error,) = errors_of(machine, rain(bad))
    assert error.startswith(f"sensors[0].pin: found {bad}, which cannot wake an ESP32")
    assert "deep sleep" in error and f" {good}" in error and '"wake": false' in error
    assert errors_of(machine, rain(bad, wake=False)) == []


def test_a_pico_w_and_a_node_that_does_not_sleep_may_use_any_pin() -> None:
    assert errors_of("Raspberry Pi Pico W with RP2040", rain(5), door(22), rain(9)) == []
    assert errors_of(_CLASSIC, rain(5), mode="always_on") == []


@pytest.mark.parametrize("chip", ["ESP32P4", "ESP32-H2FH4S"])
def test_nothing_is_said_of_the_pins_of_a_chip_that_nobody_has_tried(chip: str) -> None:
    assert errors_of(f"A board with {chip}", rain(56)) == []


@pytest.mark.parametrize(
    ("machine", "most"), [(_CLASSIC, 2), ("x with ESP32C3", 1), ("x with ESP32-C3FH4", 1)]
)
def test_more_pins_than_the_chip_can_mind_are_refused(machine: str, most: int) -> None:
    sensors = [door(4), rain(0), rain(2)]
    errors = errors_of(machine, *sensors)
    assert len(errors) == len(sensors) - most
    assert errors[0].startswith(f"sensors[{most}].pin") and "no more pins" in errors[0]
    chip = "ESP32" if machine == _CLASSIC else "ESP32C3"
    assert f"but an {chip} in deep sleep" in errors[0]


def test_a_package_of_a_chip_that_can_mind_two_pins_can_mind_two_pins() -> None:
    assert errors_of("x with ESP32-S3R8", door(4), rain(0)) == []


def test_an_esp32_that_is_to_save_its_battery_must_measure_it() -> None:
    low, inside = {"below_mv": 3300}, {"type": "internal"}
    assert errors_of("Raspberry Pi Pico W with RP2040", inside, low_battery=low) == []
    (error,) = errors_of(_CLASSIC, inside, low_battery=low)
    assert error.startswith("low_battery: an ESP32") and '"supply" with a pin' in error
    meter = {"type": "supply", "pin": 35, "scale": 2}
    assert errors_of(_CLASSIC, meter, low_battery=low) == []


@pytest.mark.parametrize("key", ["every", "median"])
def test_an_input_that_wakes_must_be_in_every_reading_and_measured_once(key: str) -> None:
    (error,) = errors_of("x with RP2040", {**door(4), key: 3})
    assert error.startswith(f"sensors[0].{key}: found 3, must be 1")
    assert errors_of("x with RP2040", {**door(4), "wake": False, key: 3}) == []


def test_an_esp32_that_counts_pulses_must_read_them_in_every_wake() -> None:
    (error,) = errors_of(_CLASSIC, rain(27, every=2))
    assert error.startswith("sensors[0].every: found 2, must be 1") and '"wake": false' in error
    assert errors_of(_CLASSIC, rain(27, every=2, wake=False)) == []
    assert errors_of("Raspberry Pi Pico W with RP2040", rain(27, every=2)) == []


def test_on_a_host_nothing_is_known_of_the_board() -> None:
    found = {"node": "n", "mode": "duty_cycle", "mqtt": {"host": "h"}, "sensors": [rain(5)]}
    assert config.check(found, _SECRETS)[1] == []
