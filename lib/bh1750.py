"""ROHM BH1750FVI: illuminance on I2C.

Data sheet: BH1750FVI, 2011.11, revision D. Measures once when asked and switches itself off.
Agrees with Linux's drivers/iio/light/bh1750.c, which waits for 135 to 160 ms.
"""

from micropython import const

# 'Instruction set': power on; one measurement at high resolution.
_POWER_ON = b"\x01"
_MEASURE = b"\x20"
# 'Electrical characteristics': 180 ms at most.
_MEASUREMENT_MS = const(180)


class BH1750:
    """One chip on an I2C bus, at 0x23 or, with ADDR high, 0x5C.

    Field: illuminance in lx to 0.1, in steps of 0.8 lx up to 54612.5, where the chip is dazzled
    and sees no more. It sends no checksum. Raises OSError if the chip does not answer.
    """

    FIELDS = ("illuminance",)

    def __init__(self, i2c, address=0x23):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(2)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        self._i2c.writeto(self._address, _POWER_ON)
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASUREMENT_MS

    def read(self):
        """(illuminance,): counts divided by 1.2, as in the data sheet's example."""
        self._i2c.readfrom_into(self._address, self._buffer)
        counts = self._buffer[0] << 8 | self._buffer[1]
        return ((counts * 25 + 1) // 3 / 10,)
