"""Pins to wire a sensor to, for who has named none: in an error, and in the reference."""

import re
from collections.abc import Mapping
from typing import Any

from fieldpost.config.pins import CHIPS, Chip
from firmware.config import keys_sensors

_MISSING = re.compile(r"sensors\[(\d+)\]\.(\w+): missing, must be a GPIO number")
_LISTED = 4
# What is printed on the board, where that is not the chip's name.
_BOARDS = {"RP2040": "Pico W", "RP2350": "Pico 2 W"}


def with_pins(errors: list[str], config: Any, chip: Chip | None) -> list[str]:
    """The errors of the check, each pin that is missing with some that fit the chip.

    config: the parsed config.json, whatever it is.
    """
    if chip is None:
        return errors
    return [error + _advice(error, config, chip) for error in errors]


def usual() -> str:
    """The pins of the first I2C bus on each chip, for a person who looks for some."""
    by_pins: dict[tuple[int, int], list[str]] = {}
    for chip in CHIPS.values():
        by_pins.setdefault(chip.i2c_pins[0], []).append(_title(chip))
    named = [f"{scl} and {sda} on {', '.join(on)}" for (scl, sda), on in by_pins.items()]
    return "For instance, SCL and SDA: " + "; ".join(named) + "."


def _advice(error: str, config: Any, chip: Chip) -> str:
    missing = _MISSING.match(error)
    if not missing:
        return ""
    sensors = config["sensors"]
    sensor, key = sensors[int(missing[1])], missing[2]
    rows = keys_sensors.declaration(sensor["type"]).KEYS
    wire = next(row[1] for row in rows if row[0] == key)
    if wire in ("scl", "sda"):
        pair = _bus(sensor, sensors, chip)
        what = "" if pair is None else f"SCL {pair[0]} and SDA {pair[1]}"
    else:
        taken = _taken(sensors)
        some = [pin for pin in _fitting(wire, key, sensor, chip) if pin not in taken]
        what = ", ".join(map(str, some[:_LISTED]))
    return f"; on the {_title(chip)} {what}, for instance" if what else ""


def _title(chip: Chip) -> str:
    return _BOARDS.get(chip.name, chip.name)


def _bus(
    sensor: Mapping[str, Any], sensors: list[Mapping[str, Any]], chip: Chip
) -> tuple[int, int] | None:
    """The pins of others on the same bus, else the usual ones."""
    bus = sensor.get("bus", 0)
    for other in sensors:
        if isinstance(other, dict) and other.get("bus", 0) == bus:
            scl, sda = other.get("scl"), other.get("sda")
            if isinstance(scl, int) and isinstance(sda, int):
                return scl, sda
    taken = _taken(sensors)
    fits = chip.may_be_scl or (lambda _bus, _pin: True)
    pairs = [pair for pair in chip.i2c_pins if fits(bus, pair[0]) and not taken & {*pair}]
    return pairs[0] if pairs else None


def _fitting(wire: str, key: str, sensor: Mapping[str, Any], chip: Chip) -> list[int]:
    if wire == "adc":
        return sorted(chip.adc - chip.taken.keys() - chip.cautions.keys())
    # Nothing that serves something else, at the start either; nor the usual bus.
    usual = {pin for pair in chip.i2c_pins[:1] for pin in pair}
    free = chip.gpios - chip.taken.keys() - chip.cautions.keys() - chip.input_only - usual
    of_uart = {"tx": chip.may_be_tx, "rx": chip.may_be_rx}.get(key)
    if of_uart:
        free = {pin for pin in free if of_uart(sensor.get("uart", 1), pin)}
    return sorted(free)


def _taken(sensors: list[Mapping[str, Any]]) -> set[int]:
    """Pins that are named already."""
    found = set()
    for one in sensors:
        if isinstance(one, dict) and one.get("type") in keys_sensors.NAMES:
            for row in keys_sensors.declaration(one["type"]).KEYS:
                if row[1] in ("pin", "adc", "scl", "sda") and isinstance(one.get(row[0]), int):
                    found.add(one[row[0]])
    return found
