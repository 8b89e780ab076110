"""The checks of a node that sleeps, by what its chip can do; for `firmware/config/check_cross.py`.

An ESP32 sleeps deep, and then only some of its pins, a few at a time, can wake it. An RP2 can be
woken by any pin from its light sleep.
"""

import sys

from firmware.config import keys_sensors

# The pins that end a deep sleep. MicroPython 1.29 takes a C5 for a classic ESP32 there: what is
# left are the pins that both have.
_CLASSIC = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39)
_CHIPS = {
    "ESP32S2": range(22),
    "ESP32S3": range(22),
    "ESP32C2": range(6),
    "ESP32C3": range(6),
    "ESP32C5": (0, 2, 4),
    "ESP32C6": range(8),
}
# Each of its units waits for one pin at one level (firmware/board/esp32_wake_pins.py); the others
# have only one unit.
_TWO_UNITS = ("ESP32", "ESP32S2", "ESP32S3")
_OTHERS = ("ESP32P4", "ESP32H2")


def check(sensors, low_battery, errors, chip=None):
    """Add an error for each sensor with `wake` whose pin cannot wake the board, or whose input
    would miss changes: it is not part of every reading, or it is measured several times for one,
    of which only the first sees a change that came and went. Add one for `low_battery` (or None)
    if nothing measures the supply.

    sensors: [(path, sensor), …]. chip: None takes the one that this runs on; a host has none, and
    then the pins are not checked.
    """
    asleep = [one + (keys_sensors.in_sleep(one[1]),) for one in sensors]
    watched = [one for one in asleep if one[2].get("watched")]
    for path, sensor, known in watched:
        for key in ("every", "median"):
            if "field" in known["watched"] and (sensor[key] or 1) > 1:
                text = f"{path}.{key}: found {sensor[key]}, must be 1"
                errors.append(text + ' for an input with "wake": true')
    if chip is None:
        chip = getattr(sys.implementation, "_machine", "").split(" with ")[-1]
    # Images write "ESP32C3" or "ESP32-C3FH4", and "ESP32-PICO-D4" or "ESP32-D2WD" for the classic.
    bare = chip.replace("-", "")
    if bare[:5] != "ESP32" or bare[:7] in _OTHERS:
        return
    if low_battery and not [one for one in asleep if one[2].get("measures_supply")]:
        text = "low_battery: an ESP32 cannot measure its own supply: must have a sensor of type"
        errors.append(text + ' "supply" with a pin')
    pins = _CHIPS.get(bare[:7], _CLASSIC)
    chip = bare[:7] if bare[:7] in _CHIPS else "ESP32"
    most = 2 if chip in _TWO_UNITS else 1
    for path, sensor, known in watched:
        if "field" not in known["watched"] and (sensor["every"] or 1) > 1:
            text = f"{path}.every: found {sensor['every']}, must be 1: an {chip} counts what falls"
            errors.append(text + ' in a wake only if it reads it then; or set "wake": false')
        number = sensor["pin"]
        if number is None:
            continue
        if number not in pins:
            text = f"{path}.pin: found {number}, which cannot wake an {chip} from deep sleep"
            listed = ", ".join([str(pin) for pin in pins])
            errors.append(f'{text}: must be one of {listed}, or "wake": false')
        elif not most:
            text = f"{path}.pin: found {number}, but an {chip} in deep sleep can mind no more pins"
            errors.append(text + ': set "wake": false for one of them')
        else:
            most -= 1
