"""A fake HX711 on two pins. Runs in CPython and MicroPython.

Each write to the clock pin takes `write_us`; one that is high for more than 60 us resets the chip,
and while it is down or settles, the data line is high. After a reset of less than 10 ms the first
value is not to be trusted.
"""

from emulated.pin import FakePin


class FakeHx711:
    def __init__(self, now_ms, raw, write_us=4, settling_ms=400):
        self._clock_ms = now_ms
        self.settling_ms = settling_ms
        self.raw = raw
        self.write_us = write_us
        self.clock = _Clock(self)
        self.data = _Data(self)
        self.present = True
        self.held_low = False
        self.error = 0
        self.high_us = 0
        self.ready_ms = 0
        self.pulses = 0
        self.now_us = 0
        # The pulse of this number takes 100 us.
        self.stretched = None

    def _now_ms(self):
        return self._clock_ms() + self.now_us // 1000

    def ticks_us(self):
        return self.now_us

    def ticks_diff(self, end, start):
        return end - start

    def sleep_us(self, duration_us):
        self.now_us += duration_us
        if self.high_us:
            self.high_us += duration_us

    def is_down(self):
        return self.high_us > 60

    def write(self, level):
        self.now_us += self.write_us
        if level:
            if not self.high_us and self._is_ready():
                self.pulses += 1
            self.high_us += self.write_us
            if self.pulses == self.stretched:
                self.sleep_us(100)
            return
        if self.is_down():
            self.ready_ms = self._now_ms() + self.settling_ms
            self.error = 0 if self.high_us >= 10_000 else 0x1234
            self.pulses = 0
        self.high_us = 0

    def _is_ready(self):
        return not self.is_down() and self._now_ms() >= self.ready_ms

    def read(self):
        if self.held_low:
            return 0
        if not self.present or not self._is_ready():
            return 1
        if self.pulses == 0:
            return 0
        if self.pulses > 24:
            return 1
        return (self.raw ^ self.error) >> 24 - self.pulses & 1


class _Clock(FakePin):
    def __init__(self, chip):
        super().__init__()
        self._chip = chip

    def value(self, level=None):
        if level is not None:
            self._chip.write(level)
        return super().value(level)


class _Data(FakePin):
    def __init__(self, chip):
        super().__init__()
        self._chip = chip

    def value(self, level=None):
        return self._chip.read()
