"""Sensirion SHT30, SHT31, SHT35: temperature and humidity on I2C.

Data sheet: SHT3x-DIS, version 7. Agrees with Sensirion's driver in Linux, drivers/hwmon/sht3x.c.
"""

from sensirion import OneShot, fraction


class SHT3x(OneShot):
    """One chip on an I2C bus, at 0x44 or, with ADDR high, 0x45.

    Fields: temperature in degC and humidity in %RH, to 0.01. Raises OSError if the chip does not
    answer, which is what it does while it measures, and ValueError for a bad checksum.
    """

    FIELDS = ("temperature", "humidity")
    # 'Single shot data acquisition': high repeatability, no clock stretching.
    _COMMAND = b"\x24\x00"
    # 'System timing': 15.5 ms at most.
    _WAIT_MS = 16
    _WORDS = 2

    def __init__(self, i2c, address=0x44):
        super().__init__(i2c, address)

    def read(self):
        """(temperature, humidity) by the formulae of 'Conversion of signal output'."""
        temperature, humidity = self._answer()
        return fraction(temperature, 17500, -4500), fraction(humidity, 10000)
