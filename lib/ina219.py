"""Texas Instruments INA219: voltage and current on I2C.

Data sheet: SBOS448G (December 2015). Measures once when asked. Agrees with Linux's
drivers/iio/adc/ina2xx-adc.c in steps, flags and the code for 16 samples (8510 us).
"""

from micropython import const

_CONFIG = const(0x00)
_SHUNT = const(0x01)
_BUS = const(0x02)
# Section 8.6.2: 32 V, shunt +-320 mV, 16 samples averaged of each, triggered.
_TRIGGER = b"\x3e\x63"
# Section 7.5: 586 us at most a sample.
_MEASUREMENT_MS = const(19)
_READY = const(0x02)
_SHUNT_LIMIT = const(32000)
_ETIMEDOUT = const(110)


class INA219:
    """One chip on an I2C bus, at 0x40 to 0x4F by A0 and A1.

    Fields: voltage in V to 0.001, of the load's side (the chip's steps are 4 mV), and current in A
    to 0.0001, by a shunt of `shunt_mohm` (0.1 ohm on most modules); negative if it flows the
    other way. The chip sends no checksum. Raises OSError if it does not answer or does not get
    ready, ValueError for a current beyond +-320 mV at the shunt.
    """

    FIELDS = ("voltage", "current")

    def __init__(self, i2c, address=0x40, shunt_mohm=100):
        self._i2c = i2c
        self._address = address
        self._shunt_mohm = shunt_mohm
        self._buffer = bytearray(2)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        self._i2c.writeto_mem(self._address, _CONFIG, _TRIGGER)
        return _MEASUREMENT_MS

    def _register(self, register):
        self._i2c.readfrom_mem_into(self._address, register, self._buffer)
        return self._buffer[0] << 8 | self._buffer[1]

    def read(self):
        """(voltage, current) by sections 8.6.3.1 and 8.6.3.2: 10 uV and 4 mV a step."""
        bus = self._register(_BUS)
        if not bus & _READY:
            raise OSError(_ETIMEDOUT, "measurement takes too long")
        shunt = self._register(_SHUNT)
        if shunt & 0x8000:
            shunt -= 0x10000
        if not -_SHUNT_LIMIT < shunt < _SHUNT_LIMIT:
            raise ValueError("current is beyond the range of the shunt")
        return (bus >> 3) * 4 / 1000, round(shunt / 100 / self._shunt_mohm, 4)
