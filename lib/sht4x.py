"""Sensirion SHT40, SHT41, SHT45: temperature and humidity on I2C.

Data sheet: SHT4x, version 6. Agrees with Linux's drivers/hwmon/sht4x.c.
"""

from sensirion import OneShot, fraction


class SHT4x(OneShot):
    """One chip on an I2C bus, at 0x44, 0x45 or 0x46: the part number says which.

    Fields: temperature in degC and humidity in %RH, to 0.01. Raises OSError if the chip does not
    answer, which is what it does while it measures, and ValueError for a bad checksum.
    """

    FIELDS = ("temperature", "humidity")
    # 'Command overview': high precision, heater off.
    _COMMAND = b"\xfd"
    # 'System timing': 8.3 ms at most.
    _WAIT_MS = 9
    _WORDS = 2

    def __init__(self, i2c, address=0x44):
        super().__init__(i2c, address)

    def read(self):
        """(temperature, humidity) by the formulae of 'Conversion of signal output'."""
        temperature, humidity = self._answer()
        # The scale reaches from -6 to 119 %RH; what lies outside 0 to 100 is to be cut off.
        humidity = min(max(fraction(humidity, 12500, -600), 0), 100)
        return fraction(temperature, 17500, -4500), humidity
