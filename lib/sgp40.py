"""Sensirion SGP40: the raw signal of a metal oxide gas sensor on I2C.

Data sheet: SGP40, version 1.2; agrees with Linux's drivers/iio/chemical/sgp40.c, whose index falls
as this signal rises. Sensirion's VOC index is made from this signal by an algorithm that
needs a reading every second, and is not in here.
"""

from sensirion import OneShot


class SGP40(OneShot):
    """The chip on an I2C bus; it has one address.

    Field: voc_raw, 0 to 65535 without a unit: it falls as the air gets worse. Of one chip it
    can be compared over hours, not over weeks. The heater stays on between readings. Raises
    OSError if the chip does not answer, ValueError for a bad checksum.
    """

    FIELDS = ("voc_raw",)
    # 'Measure raw signal', with the default humidity (50 %RH) and temperature (25 degC).
    _COMMAND = b"\x26\x0f\x80\x00\xa2\x66\x66\x93"
    _WAIT_MS = 30
    _WORDS = 1

    def __init__(self, i2c, address=0x59):
        super().__init__(i2c, address)

    def read(self):
        """(voc_raw,)."""
        return tuple(self._answer())
