"""The module `machine` for a driver of somebody's own: the pins and buses of the desk.

Runs in CPython and MicroPython. What else the port's own `machine` has, if it has one, is there,
too. Nothing is looked up in code of ours, so that an error names the driver's line.
"""

import sys

from emulated.adc import FakeAdc
from emulated.pin import FakePin

# A Pico W's ADC has its channels at these pins, and may be asked for by either.
_FIRST_CHANNEL, _CHANNELS = 26, 3


class Machine:
    """In the place of the module; `desk` is where its pins and buses are."""

    def __init__(self, desk):
        port = _module()
        for name in dir(port):
            if not name.startswith("_"):
                setattr(self, name, getattr(port, name))
        self._desk = desk
        self.Pin = _Pins(desk)
        self.ADC = _Adcs(desk)

    def I2C(self, bus=0, **options):
        return self._desk.bus(bus)

    def SoftI2C(self, **options):
        return self._desk.bus(0)


class _Pins:
    """In the place of the class `Pin`: there is one object for each pin."""

    def __init__(self, desk):
        self._desk = desk

    def __getattr__(self, name):
        return getattr(FakePin, name)

    def __call__(self, at, mode=-1, pull=-1, value=None, **options):
        pins = self._desk.pins
        if not isinstance(at, int):
            pin = at
        else:
            if at not in pins:
                pins[at] = FakePin()
            pin = pins[at]
        pin.init(mode, pull, value)
        return pin


class _Adcs:
    """In the place of the class `ADC`: there is one object for each pin that has one."""

    def __init__(self, desk):
        self._desk = desk

    def __getattr__(self, name):
        return getattr(FakeAdc, name)

    def __call__(self, at, **options):
        """`at`: a pin, its number, or the number of an RP2's channel."""
        pins, adcs = self._desk.pins, self._desk.adcs
        number = at
        if not isinstance(at, int):
            number = next(one for one in pins if pins[one] is at)
        elif at not in adcs and at < _CHANNELS:
            number = at + _FIRST_CHANNEL
        if number not in adcs:
            adcs[number] = FakeAdc(0)
        return adcs[number]


def _module():
    try:
        return __import__("machine")
    except ImportError:
        return None


def install(desk):
    """Drivers that import `machine` get this one from now on."""
    modules: dict = sys.modules
    modules["machine"] = Machine(desk)
