"""The pins that can end an ESP32's deep sleep. Loaded when the configuration has such pins.

Each unit of the chip can wait for one pin at one level: EXT1 for the first (it needs no power in
sleep), EXT0 for the second. C2 and C3 have neither, and wait for a GPIO, since MicroPython 1.27.
"""

import sys

import esp32
import machine

# Before that, these two have the functions of the others, which take a pin and never wake it.
_CHIP = sys.implementation._machine.split()[-1].replace("-", "")[:7]
_HAS_EXT = _CHIP not in ("ESP32C2", "ESP32C3")

# machine.wake_reason(), which is the ESP-IDF's esp_sleep_wakeup_cause_t.
_BY_UNIT = {3: 0, 7: 0, 2: 1}  # EXT1, GPIO, EXT0


def woken_by():
    """Index of the pin that ended the last deep sleep, in the list given to `arm`; None: time."""
    return _BY_UNIT.get(machine.wake_reason())


def arm(wanted):
    """Wake from the next deep sleep when one of `wanted`, [(GPIO number, level) or None, …], has
    its level. ValueError if the chip or its MicroPython cannot do that."""
    for index, one in enumerate(wanted):
        if one is None:
            continue
        number, level = one
        pin = machine.Pin(number)
        wanted_level = esp32.WAKEUP_ANY_HIGH if level else esp32.WAKEUP_ALL_LOW
        try:
            if index == 1 and _HAS_EXT:
                esp32.wake_on_ext0(pin, wanted_level)
            elif _HAS_EXT and hasattr(esp32, "wake_on_ext1"):
                esp32.wake_on_ext1((pin,), wanted_level)
            elif index == 0:
                esp32.wake_on_gpio((pin,), wanted_level)
            else:
                raise ValueError("too many pins")
        except (AttributeError, ValueError) as error:
            raise ValueError("pin %d cannot wake this board (%s)" % (number, error))
