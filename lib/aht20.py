"""Aosong AHT20, AHT21 and AHT30: temperature and humidity on I2C.

Data sheet: ASAIR AHT20, product manual, version 1.0. Measures once when asked.
Agrees with Adafruit's AHTx0 in status bits and formulae; it calibrates an AHT10 by 0xE1 instead.
"""

from micropython import const
from sensirion import crc8

_CALIBRATE = b"\xbe\x08\x00"
_MEASURE = b"\xac\x33\x00"
_BUSY = const(0x80)
_CALIBRATED = const(0x08)
# Section 5.4, 'Sensor reading process'.
_CALIBRATION_MS = const(10)
_MEASUREMENT_MS = const(80)
_ETIMEDOUT = const(110)


class AHT20:
    """The chip on an I2C bus; it has one address. `time.sleep_ms(ms)` waits.

    Fields: temperature in degC and humidity in %RH, to 0.01. Raises OSError if the chip does not
    answer or does not become ready, ValueError for a bad checksum.
    """

    FIELDS = ("temperature", "humidity")

    def __init__(self, i2c, address=0x38, time=None):
        self._i2c = i2c
        self._address = address
        self._time = time
        self._frame = bytearray(7)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        # Each time: a chip that lost its power in between has forgotten it.
        self._i2c.readfrom_into(self._address, memoryview(self._frame)[:1])
        if not self._frame[0] & _CALIBRATED:
            self._i2c.writeto(self._address, _CALIBRATE)
            if self._time:
                self._time.sleep_ms(_CALIBRATION_MS)
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASUREMENT_MS

    def read(self):
        """(temperature, humidity) by the formulae of section 6, 'Signal conversion'."""
        frame = self._frame
        self._i2c.readfrom_into(self._address, frame)
        if crc8(frame[:6]) != frame[6]:
            raise ValueError("bad checksum")
        if frame[0] & _BUSY:
            raise OSError(_ETIMEDOUT, "measurement takes too long")
        humidity = frame[1] << 12 | frame[2] << 4 | frame[3] >> 4
        temperature = (frame[3] & 0x0F) << 16 | frame[4] << 8 | frame[5]
        # Whole numbers, for a board computes in single precision: hundredths, rounded.
        return (
            ((temperature * 20000 + 0x80000 >> 20) - 5000) / 100,
            (humidity * 10000 + 0x80000 >> 20) / 100,
        )
