"""A board on a desk with emulated sensors at its pins and buses. Runs in CPython and MicroPython.

The network, the clock and the file system are the desk's own. `plan` says what is wired:
- "sensors": the checked sensors of the configuration;
- "values": {sensor's name: {driver's field: value}}, what each measures from the start on;
- "changes": [[ms since the start, {sensor's name: {field: value}}], …] in that order; a value may
  be "absent" under the field "", and "present" again;
- "sample_ms": what goes by between two readings, for what counts.
"""

from emulated.registers import DeskI2C
from emulated.sensors import TYPES, of_ones_own


class DeskTime:
    """The desk's clock, and microseconds that go on only when they are looked at or slept.

    `timed`: the devices that live by those. `on_tick(now_ms)`: called when the time is asked for.
    """

    def __init__(self, time):
        self._time = time
        self._at = time.ticks_ms()
        self._elapsed_ms = 0
        self._told_ms = None
        self.on_tick = None
        self.timed = []

    def __getattr__(self, name):
        return getattr(self._time, name)

    def elapsed_ms(self):
        now = self._time.ticks_ms()
        self._elapsed_ms += self._time.ticks_diff(now, self._at)
        self._at = now
        return self._elapsed_ms

    def ticks_ms(self):
        if self._told_ms is not None:
            return self._told_ms
        if self.on_tick:
            self.on_tick(self.elapsed_ms())
        return self._time.ticks_ms()

    def at(self, ago_ms, deed, argument):
        """Do something that happened `ago_ms` ago, and nobody had the time to see."""
        self._told_ms = self._time.ticks_add(self._time.ticks_ms(), -ago_ms)
        try:
            deed(argument)
        finally:
            self._told_ms = None

    def ticks_us(self):
        # Each device counts for itself; the one that was looked at last is furthest ahead.
        for device in self.timed:
            device.now_us += 1
        return max([device.now_us for device in self.timed] or [0])

    def sleep_us(self, duration_us):
        for device in self.timed:
            device.sleep_us(duration_us)


class Desk:
    """`board`: the desk's own, for all that is no sensor."""

    def __init__(self, board, plan):
        self._board = board
        self.time = DeskTime(board.time)
        self.now_ms = self.time.elapsed_ms
        self.pins = {}
        self.adcs = {}
        self.wires = {}
        self.uarts = {}
        self.millivolts = None
        self.die_c = None
        self._buses = {}
        self._pulses = []
        self._sample_ms = plan["sample_ms"]
        self._changes = list(plan["changes"])
        self._values = {}
        self._wired = {}
        for one in plan["sensors"]:
            self._wired[one["name"]] = TYPES.get(one["type"], of_ones_own)(self, one)
        self._change(plan["values"])
        self.time.on_tick = self._tick

    def __getattr__(self, name):
        return getattr(self._board, name)

    def bus(self, number):
        """The I2C bus of that number; its `devices` are by their addresses."""
        if number not in self._buses:
            self._buses[number] = DeskI2C()
        return self._buses[number]

    def pulse(self, pin, count):
        """From now on the pin falls so often between two readings."""
        self._pulses = [one for one in self._pulses if one[0] is not pin]
        if count > 0:
            self._pulses.append([pin, self._sample_ms / count, self.now_ms()])

    # What a driver's recipe asks for -----------------------------------------------------------

    def pin(self, number, mode=None, pull=None):
        if number not in self.pins:
            return self._board.pin(number, mode, pull)
        return self.pins[number]

    def adc(self, pin):
        return self.adcs[pin]

    def onewire(self, pin):
        from onewire import OneWire

        return OneWire(self.wires[pin])

    def uart(self, bus, baud, tx, rx):
        return self.uarts[bus]

    def i2c(self, bus, scl, sda, freq_hz):
        return self.bus(bus)

    def supply_mv(self):
        return self._board.supply_mv() if self.millivolts is None else self.millivolts

    def die_temperature_c(self):
        return self._board.die_temperature_c() if self.die_c is None else self.die_c

    # Time goes by ------------------------------------------------------------------------------

    def _tick(self, now_ms):
        while self._changes and self._changes[0][0] <= now_ms:
            self._change(self._changes.pop(0)[1])
        for one in self._pulses:
            pin, every_ms, last_ms = one
            while last_ms + every_ms <= now_ms:
                last_ms += every_ms
                self.time.at(int(now_ms - last_ms), _fall, pin)
            one[2] = last_ms

    def _change(self, values):
        for name, new in values.items():
            if name not in self._wired:
                continue
            tell, present = self._wired[name]
            new = dict(new)
            state = new.pop("", None)
            if state:
                present(state == "present")
            if new or name not in self._values:
                known = self._values.setdefault(name, {})
                known.update(new)
                tell(known)


def _fall(pin):
    pin.drive(0)
    pin.drive(1)
