"""Sensirion SCD40, SCD41, SCD43: carbon dioxide, temperature and humidity on I2C.

Data sheet: SCD4x, version 1.3 (September 2022). The chip measures by itself every 5 s.
Agrees with Sensirion's own embedded-i2c-scd4x (scd4x_i2c.c) in commands, waits and formulae.
"""

from micropython import const
from sensirion import fraction, read_words

# Table 9.
_START_PERIODIC = b"\x21\xb1"
_DATA_READY = b"\xe4\xb8"
_READ = b"\xec\x05"
_EXECUTION_MS = const(1)
# Every 5 s, by a clock of its own.
_INTERVAL_MS = const(5100)
# Section 3.8: if the lower 11 bits are 0, there is no new measurement.
_READY_BITS = const(0x07FF)
_ETIMEDOUT = const(110)


class SCD4x:
    """The chip on an I2C bus; it has one address. `time.sleep_ms(ms)` waits.

    Fields: co2 in ppm, temperature in degC and humidity in %RH, to 0.01. Raises OSError if the
    chip does not answer or has no measurement, ValueError for a bad checksum.
    """

    FIELDS = ("co2", "temperature", "humidity")

    def __init__(self, i2c, address=0x62, time=None):
        self._i2c = i2c
        self._address = address
        self._time = time
        self._word = bytearray(3)
        self._buffer = bytearray(9)
        self._started = False

    def _ask(self, command, buffer):
        self._i2c.writeto(self._address, command)
        if self._time:
            self._time.sleep_ms(_EXECUTION_MS)
        return read_words(self._i2c, self._address, buffer)

    def start(self):
        """Have the chip measure, if it does not already; returns the ms until `read()`."""
        # It goes on measuring while the board sleeps or restarts.
        if self._ask(_DATA_READY, self._word)[0] & _READY_BITS:
            self._started = True
            return 0
        if not self._started:
            try:
                self._i2c.writeto(self._address, _START_PERIODIC)
            except OSError:
                # It answered just now: so it measures already, and takes no such command.
                pass
            self._started = True
        return _INTERVAL_MS

    def read(self):
        """(co2, temperature, humidity) of the latest measurement (section 3.5)."""
        if not self._ask(_DATA_READY, self._word)[0] & _READY_BITS:
            self._started = False
            raise OSError(_ETIMEDOUT, "no measurement, lost power?")
        co2, temperature, humidity = self._ask(_READ, self._buffer)
        if not co2:
            raise ValueError("co2 is 0")
        return co2, fraction(temperature, 17500, -4500), fraction(humidity, 10000)
