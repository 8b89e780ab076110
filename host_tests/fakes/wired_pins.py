"""A board's pins with things wired to them: what stands in for `machine` where a bench is scanned.

Runs in MicroPython. A bench is made in boot.py: `bench = Bench(); bench.i2c(5, 4, bus); …;
bench.install()`. `driven` holds the pins that were ever more than an input, `left` each pin's
last mode.
"""

import sys

UP, FLOATING, LOW = "up", "floating", "low"


class Bench:
    def __init__(self):
        self.driven = set()
        self.left = {}
        self.outside = {}
        self.clocks = {}  # falling edges by pin
        self._free_after = {}
        self._buses = {}
        self._wires = {}

    def i2c(self, scl, sda, bus, sda_level=UP, scl_level=UP, free_after=None):
        """`bus` on two pins. free_after: (with sda_level LOW) clocks until SDA is let go."""
        self.outside[scl], self.outside[sda] = scl_level, sda_level
        self._buses[scl, sda] = bus
        if free_after is not None:
            self._free_after[sda] = (scl, free_after)

    def onewire(self, pin, wire):
        self.outside[pin] = LOW if wire.held_low else UP
        self._wires[pin] = wire

    def level(self, pin, pull):
        """What an input reads there."""
        outside = self.outside.get(pin, FLOATING)
        if pin in self._free_after:
            scl, needed = self._free_after[pin]
            if self.clocks.get(scl, 0) >= needed:
                outside = UP
        if outside == FLOATING:
            return 1 if pull == "PULL_UP" else 0
        return 1 if outside == UP else 0

    def install(self):
        """Put it in the place of `machine`'s pins and buses, and of the frozen `onewire`."""
        chip = __import__("machine")
        bench = self

        class Pin:
            IN, OPEN_DRAIN, PULL_UP, PULL_DOWN = "IN", "OPEN_DRAIN", "PULL_UP", "PULL_DOWN"
            pulls = {}

            def __init__(self, number, mode=None, pull=None, value=None):
                self.number = number
                if mode:
                    self.init(mode, pull)

            def init(self, mode, pull=None):
                bench.left[self.number] = mode
                Pin.pulls[self.number] = pull
                if mode != "IN":
                    bench.driven.add(self.number)

            def value(self, level=None):
                if level is None:
                    return bench.level(self.number, Pin.pulls.get(self.number))
                if not level:
                    bench.clocks[self.number] = bench.clocks.get(self.number, 0) + 1
                return None

            def __getattr__(self, name):
                wire = bench._wires.get(self.number)
                if wire is None and name in ("reset", "readbit"):
                    return lambda: name == "readbit"  # nobody there: no presence, and ones
                return getattr(wire, name)

        def soft_i2c(scl, sda, freq, timeout):
            bench.driven.update((scl.number, sda.number))
            return bench._buses.get((scl.number, sda.number), Nobody())

        chip.Pin, chip.SoftI2C = Pin, soft_i2c
        __import__("emulated.onewire")
        sys.modules["onewire"] = sys.modules["emulated.onewire"]


class Nobody:
    """A bus on which nothing acknowledges."""

    def scan(self):
        return []


class Hanging:
    """A bus on which a call does not return."""

    def scan(self):
        while True:
            pass
