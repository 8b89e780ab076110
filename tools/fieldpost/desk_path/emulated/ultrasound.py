"""A fake HC-SR04 on two pins, with a clock of microseconds. Runs in CPython and MicroPython."""

from emulated.pin import FakePin


class FakeUltrasound:
    """`pulse_us`: a list of echo lengths, used in turn. It is the driver's `time` as well: a look
    at a pin or at the clock takes `look_us`."""

    def __init__(self, pulse_us, look_us=5):
        self.pulse_us = pulse_us
        self.look_us = look_us
        self.now_us = 0
        self.present = True
        self.triggers = []
        self.trigger = _Trigger(self)
        self.echo = _Echo(self)
        self.rise_us = self.fall_us = 0

    def ticks_us(self):
        self.now_us += self.look_us
        return self.now_us

    def ticks_diff(self, end, start):
        return end - start

    def sleep_us(self, duration_us):
        self.now_us += duration_us

    def sleep_ms(self, duration_ms):
        self.now_us += duration_ms * 1000

    def fire(self, high_us):
        if self.present and high_us >= 10:
            self.rise_us = self.now_us + 450
            self.fall_us = self.rise_us + self.pulse_us[len(self.triggers) % len(self.pulse_us)]
            self.triggers.append(self.now_us)


class _Trigger(FakePin):
    def __init__(self, sensor):
        super().__init__()
        self._sensor = sensor
        self._since_us = 0

    def value(self, level=None):
        if level == 0 and self.level:
            self._sensor.fire(self._sensor.now_us - self._since_us)
        if level and not self.level:
            self._since_us = self._sensor.now_us
        return super().value(level)


class _Echo(FakePin):
    def __init__(self, sensor):
        super().__init__()
        self._sensor = sensor

    def value(self, level=None):
        sensor = self._sensor
        sensor.now_us += sensor.look_us
        return int(self.level or sensor.rise_us <= sensor.now_us < sensor.fall_us)
