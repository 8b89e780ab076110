"""Sensirion SHT30, SHT31, SHT35: temperature and humidity on I2C.

Data sheet: SHT3x-DIS, version 7. Measures once when asked and idles in between.
"""

from sensirion import fraction, read_words

# 'Single shot data acquisition': high repeatability, no clock stretching.
_MEASURE = b"\x24\x00"
# 'System timing': 15.5 ms at most.
_MEASUREMENT_MS = 16


class SHT3x:
    """One chip on an I2C bus, at 0x44 or, with ADDR high, 0x45.

    Fields: temperature in degC and humidity in %RH, to 0.01. Raises OSError if the chip does not
    answer, which is what it does while it measures, and ValueError for a bad checksum.
    """

    FIELDS = ("temperature", "humidity")

    def __init__(self, i2c, address=0x44):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(6)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASUREMENT_MS

    def read(self):
        """(temperature, humidity) by the formulae of 'Conversion of signal output'."""
        temperature, humidity = read_words(self._i2c, self._address, self._buffer)
        return fraction(temperature, 17500, -4500), fraction(humidity, 10000)
