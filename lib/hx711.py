"""Avia Semiconductor HX711: a load cell's amplifier, on a clock and a data pin.

Data sheet: HX711, 'Serial interface', 'Reset and power-down sequence'. Powered down in between.
Agrees with Linux's drivers/iio/adc/hx711.c in pulses, sign and order of bits.
"""

from micropython import const

# 'Key electrical characteristics': settling time at 10 samples per second, by the chip's own
# oscillator, whose tolerance the data sheet leaves open: a slow one is given more.
_SETTLING_MS = const(400)
_SLOWER_MS = const(100)
_PULSES = const(25)
_POWER_DOWN_US = const(60)
# More than the 60 us that the data sheet asks for: the first value after a shorter reset was seen
# to be unreliable, after 10 ms never (Linux, drivers/iio/adc/hx711.c).
_RESET_US = const(10000)
_ETIMEDOUT = const(110)


class HX711:
    """`clock` is an output and `data` an input as `machine.Pin`; `time` has ticks_us(),
    ticks_diff() and sleep_us(). Channel A, gain 128.

    Field: (raw - offset) / scale, to `decimals` places; raw is signed and has 24 bits. Raises
    OSError if the chip does not answer, ValueError if the load cell is beyond its range or
    the bits were disturbed. There is no checksum.
    """

    def __init__(self, clock, data, time, scale=1, offset=0, field="weight", decimals=1):
        if not scale:
            raise ValueError("scale is 0")
        self._clock = clock
        self._data = data
        self._time = time
        self._scale = scale
        self._offset = offset
        self._decimals = decimals
        self.FIELDS = (field,)

    def start(self):
        """Wake the chip; returns the ms until it has settled."""
        # A chip that is awake is reset, so that it never holds an old value.
        self._clock.value(1)
        self._time.sleep_us(_RESET_US)
        self._clock.value(0)
        return _SETTLING_MS

    def read(self):
        """(weight,), and powers the chip down."""
        clock, data, time = self._clock, self._data, self._time
        for _ in range(_SLOWER_MS):
            if not data.value():
                break
            time.sleep_us(1000)
        else:
            raise OSError(_ETIMEDOUT, "not ready, or not there")
        raw = longest_us = 0
        # The 25th pulse asks for gain 128 again, and the chip lets go of the line.
        for _ in range(_PULSES):
            begun_us = time.ticks_us()
            clock.value(1)
            clock.value(0)
            longest_us = max(longest_us, time.ticks_diff(time.ticks_us(), begun_us))
            raw = raw << 1 | data.value()
        clock.value(1)
        # An interrupt can stretch a pulse; to the chip a long one means to power down.
        if longest_us > _POWER_DOWN_US:
            raise ValueError("disturbed by an interrupt")
        if not raw & 1:
            raise ValueError("data is held low, or a bit was lost")
        raw >>= 1
        if raw & 0x800000:
            raw -= 0x1000000
        if raw in (-0x800000, 0x7FFFFF):
            raise ValueError("load cell is beyond its range, or not wired")
        return (round((raw - self._offset) / self._scale, self._decimals),)
