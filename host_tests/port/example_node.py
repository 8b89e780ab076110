"""One of the examples as a whole node: main.py's own code, with emulated sensors at its pins.

EXAMPLE says which; the sensors are wired as the example's README tells.
"""

import os
import time

from emulated.adc import FakeAdc
from emulated.dht import FakeDht
from emulated.frozen import install
from emulated.i2c import FakeBme280, FakeI2C
from emulated.onewire import FakeThermometer, FakeWire
from firmware import app, board
from firmware.board.unix import Board


class Wired(Board):
    """The desk's network and clock, and an example's sensors. chip: as the board calls itself."""

    def __init__(self):
        super().__init__()
        self._wire = FakeWire([FakeThermometer(time.ticks_ms, 0x0A1B2C3D, -18.5)])
        self._bus = FakeI2C({0x76: FakeBme280(time.ticks_ms)})

    def version(self):
        return CHIPS[os.getenv("EXAMPLE")] + " MicroPython 1.29.0"

    def pin(self, number, mode=None, pull=None):
        return {27: FakeDht(18.4, 71.5)}[number]

    def adc(self, pin):
        return {35: FakeAdc(1965000)}[pin]

    def onewire(self, pin):
        from onewire import OneWire

        return OneWire({22: self._wire}[pin])

    def i2c(self, bus, scl, sda, freq_hz):
        return {(0, 7, 6): self._bus}[bus, scl, sda]

    def supply_mv(self):
        return 4387


CHIPS = {"greenhouse": "ESP32", "freezer": "RP2040", "weather": "ESP32C3"}
install()
board.Board = Wired
app.run()
