"""Sensirion SGP40: the raw signal of a metal oxide gas sensor on I2C.

Data sheet: SGP40, version 1.2. Sensirion's VOC index is made from this signal by an algorithm that
needs a reading every second, and is not in here.
"""

from micropython import const
from sensirion import read_words

# 'Measure raw signal', with the default humidity (50 %RH) and temperature (25 degC).
_MEASURE = b"\x26\x0f\x80\x00\xa2\x66\x66\x93"
_MEASUREMENT_MS = const(30)


class SGP40:
    """The chip on an I2C bus; it has one address.

    Field: voc_raw, 0 to 65535 without a unit: it falls as the air gets worse. Of one chip it
    can be compared over hours, not over weeks. The heater stays on between readings. Raises
    OSError if the chip does not answer, ValueError for a bad checksum.
    """

    FIELDS = ("voc_raw",)

    def __init__(self, i2c, address=0x59):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(3)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASUREMENT_MS

    def read(self):
        """(voc_raw,)."""
        return tuple(read_words(self._i2c, self._address, self._buffer))
