"""Sensirion SHT40, SHT41, SHT45: temperature and humidity on I2C.

Data sheet: SHT4x, version 6. Measures once when asked and idles in between.
"""

from sensirion import fraction, read_words

# 'Command overview': high precision, heater off.
_MEASURE = b"\xfd"
# 'System timing': 8.3 ms at most.
_MEASUREMENT_MS = 9


class SHT4x:
    """One chip on an I2C bus, at 0x44, 0x45 or 0x46: the part number says which.

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
        # The scale reaches from -6 to 119 %RH; what lies outside 0 to 100 is to be cut off.
        humidity = min(max(fraction(humidity, 12500, -600), 0), 100)
        return fraction(temperature, 17500, -4500), humidity
