"""Bosch BME280 (temperature, pressure, humidity) and BMP280 (no humidity) on I2C.

Works in forced mode: the chip measures once when asked and sleeps in between. Register
addresses and formulae are those of the BME280 data sheet, BST-BME280-DS001 (revision 1.23)
and, where they differ, BMP280, BST-BMP280-DS001.
"""

import struct

from micropython import const

_CHIP_ID = const(0xD0)
_CHIP_BME280 = const(0x60)
# 0x56 and 0x57 are engineering samples of the BMP280, and still on sale on modules.
_CHIPS_BMP280 = (0x58, 0x57, 0x56)

_CALIBRATION = const(0x88)  # 24 bytes, T1 to P9
_CALIBRATION_H1 = const(0xA1)
_CALIBRATION_H2 = const(0xE1)  # 7 bytes, H2 to H6

_CONTROL_HUMIDITY = const(0xF2)
_STATUS = const(0xF3)
_CONTROL = const(0xF4)
_CONFIG = const(0xF5)
_DATA = const(0xF7)

_MEASURING_OR_COPYING = const(0x09)
# Oversampling 1 of temperature and pressure, forced mode (data sheet, 3.5.1 'weather monitoring').
_FORCED_ONCE = const(0x25)
# Section 9.1, the longest time with oversampling 1 throughout: 9.3 ms.
_MEASUREMENT_MS = const(10)
# What the data registers hold before the first measurement.
_NOT_MEASURED_16 = const(0x8000)
_NOT_MEASURED = (0x80000, 0x80000, _NOT_MEASURED_16)
_ETIMEDOUT = const(110)


class BME280:
    """One chip on an I2C bus (MicroPython's `machine.I2C` or its like).

    Fields: temperature in degC, pressure in hPa and, of a BME280, humidity in %RH, each to 0.01.
    Raises OSError if the chip does not answer and ValueError if another chip does.
    """

    FIELDS = ("temperature", "pressure", "humidity")

    def __init__(self, i2c, address=0x76):
        self._i2c = i2c
        self._address = address
        self._data = bytearray(8)
        chip = i2c.readfrom_mem(address, _CHIP_ID, 1)[0]
        self.has_humidity = chip == _CHIP_BME280
        if not self.has_humidity:
            if chip not in _CHIPS_BMP280:
                raise ValueError(f"chip id 0x{chip:02x} is neither BME280 nor BMP280")
            self.FIELDS = self.FIELDS[:2]
        self._read_calibration()

    def _read_calibration(self):
        """Section 4.2.2: the factory's trimming values, constant for the life of the chip."""
        i2c = self._i2c
        values = struct.unpack("<HhhHhhhhhhhh", i2c.readfrom_mem(self._address, _CALIBRATION, 24))
        # The chip copies these from its own flash in the first 2 ms after power-on.
        if values[0] in (0, 0xFFFF) or values[3] in (0, 0xFFFF):
            raise ValueError("calibration is blank")
        self._temperature = values[:3]
        self._pressure = values[3:]
        self._humidity = None
        if self.has_humidity:
            h1 = i2c.readfrom_mem(self._address, _CALIBRATION_H1, 1)[0]
            h2, h3, high4, shared, high5, h6 = struct.unpack(
                "<hBbBbb", i2c.readfrom_mem(self._address, _CALIBRATION_H2, 7)
            )
            # H4 and H5 are signed 12-bit numbers that share a byte for their low halves.
            h4 = high4 * 16 + (shared & 0x0F)
            h5 = high5 * 16 + (shared >> 4)
            self._humidity = (h1, h2, h3, h4, h5, h6)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        write = self._i2c.writeto_mem
        # All three each time: a chip that lost its power in between has forgotten them, and
        # humidity's setting only counts from the next write to the control register.
        if self.has_humidity:
            write(self._address, _CONTROL_HUMIDITY, b"\x01")
        write(self._address, _CONFIG, b"\x00")
        write(self._address, _CONTROL, bytes((_FORCED_ONCE,)))
        return _MEASUREMENT_MS

    def read(self):
        """The measurement as (temperature, pressure[, humidity]) in the units of FIELDS."""
        self._i2c.readfrom_mem_into(self._address, _STATUS, memoryview(self._data)[:1])
        if self._data[0] & _MEASURING_OR_COPYING:
            raise OSError(_ETIMEDOUT, "measurement takes too long")
        # One burst: the chip keeps the registers consistent within it (section 4).
        data = self._data
        if self.has_humidity:
            self._i2c.readfrom_mem_into(self._address, _DATA, data)
        else:
            self._i2c.readfrom_mem_into(self._address, _DATA, memoryview(data)[:6])
        raw_pressure = data[0] << 12 | data[1] << 4 | data[2] >> 4
        raw_temperature = data[3] << 12 | data[4] << 4 | data[5] >> 4
        raw_humidity = data[6] << 8 | data[7] if self.has_humidity else _NOT_MEASURED_16
        # Each of them alone can be a measured value.
        if (raw_temperature, raw_pressure, raw_humidity) == _NOT_MEASURED:
            raise ValueError("no measurement, lost power?")
        fine = fine_temperature(raw_temperature, self._temperature)
        temperature = (fine * 5 + 128 >> 8) / 100
        pressure = (pressure_256th_pa(raw_pressure, fine, self._pressure) + 128 >> 8) / 100
        if not self.has_humidity:
            return temperature, pressure
        humidity = humidity_1024th(raw_humidity, fine, self._humidity)
        return temperature, pressure, (humidity * 100 + 512 >> 10) / 100


# The data sheet's integer formulae (section 4.2.3), not its floating-point ones: a board computes
# in single precision, which leaves errors of several Pa. Integers that outgrow a machine word are
# exact in MicroPython as they are in CPython, and `>>` rounds down in both, as it does in C.


def fine_temperature(raw, calibration):
    """`t_fine`, 5120ths of a degC, from the 20-bit raw value and (T1, T2, T3)."""
    t1, t2, t3 = calibration
    linear = ((raw >> 3) - (t1 << 1)) * t2 >> 11
    offset = (raw >> 4) - t1
    return linear + ((offset * offset >> 12) * t3 >> 14)


def pressure_256th_pa(raw, fine, calibration):
    """Pressure in 256ths of a Pa from the 20-bit raw value, `t_fine` and (P1, ..., P9)."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = calibration
    var1 = fine - 128000
    var2 = var1 * var1 * p6 + (var1 * p5 << 17) + (p4 << 35)
    var1 = (var1 * var1 * p3 >> 8) + (var1 * p2 << 12)
    var1 = ((1 << 47) + var1) * p1 >> 33
    if var1 <= 0:
        raise ValueError("calibration does not fit")
    pressure = (((1048576 - raw) << 31) - var2) * 3125 // var1
    var1 = p9 * (pressure >> 13) * (pressure >> 13) >> 25
    var2 = p8 * pressure >> 19
    return (pressure + var1 + var2 >> 8) + (p7 << 4)


def humidity_1024th(raw, fine, calibration):
    """Relative humidity in 1024ths of a % (0 to 102400) from the 16-bit raw value."""
    h1, h2, h3, h4, h5, h6 = calibration
    fine -= 76800
    slope = (fine * h6 >> 10) * ((fine * h3 >> 11) + 32768) >> 10
    slope = (slope + 2097152) * h2 + 8192 >> 14
    value = ((raw << 14) - (h4 << 20) - h5 * fine + 16384 >> 15) * slope
    value -= ((value >> 15) * (value >> 15) >> 7) * h1 >> 4
    return min(max(value, 0), 419430400) >> 12
