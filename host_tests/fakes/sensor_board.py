"""A board as far as the sensor layer sees it. Runs in CPython and MicroPython."""


class _Time:
    def __init__(self, board):
        self._board = board

    def time(self):
        return self._board.unix_s + self._board.elapsed_ms // 1000

    def sleep_ms(self, duration_ms):
        self._board.sleep_ms(duration_ms)


class SensorBoard:
    """`pins`, `adcs`, `wires` and `buses` map a number to a fake, `uarts` a number, baud rate, tx
    and rx; `elapsed_ms` is its clock, and `time` can be another's."""

    def __init__(self):
        self.elapsed_ms = 0
        self.unix_s = 1795368900
        self.die_c: float | None = 33.3
        self.millivolts = 4987
        self.pins = {}
        self.adcs = {}
        self.wires = {}
        self.buses = {}
        self.uarts = {}
        self.time = _Time(self)

    def now_ms(self):
        return self.elapsed_ms

    def sleep_ms(self, duration_ms):
        self.elapsed_ms += duration_ms

    def die_temperature_c(self):
        return self.die_c

    def supply_mv(self):
        return self.millivolts

    def adc(self, pin):
        return self.adcs[pin]

    def pin(self, number, mode=None, pull=None):
        return self.pins[number]

    def uart(self, bus, baud, tx, rx):
        return self.uarts[bus, baud, tx, rx]

    def onewire(self, pin):
        from onewire import OneWire  # type: ignore  # frozen, or what is put there

        return OneWire(self.wires[pin])

    def i2c(self, bus, scl, sda, freq_hz):
        return self.buses[bus]
