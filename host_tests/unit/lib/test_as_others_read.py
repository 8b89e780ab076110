"""The same bytes in, the same values out as of others' drivers for the chip, within the rounding.

The bytes were drawn at random, with both ends of the range, and given to the package that is
named; what it made of them stands here to four decimals. In bulk (some thousand values for each
chip and package) every difference was within the rounding, but for these, in which the data sheet
decides:
- a DS18B20 at 9 to 11 bits: pamoja-sensors 0.2.0 counts low bits that are undefined;
- a BME280: pamoja-sensors is up to 0.02 degC off the sheet's formulae, of both kinds;
- a DHT11 below zero: adafruit-circuitpython-dht 4.0.12 leaves the sign out;
- an HX711 below zero: adafruit-circuitpython-hx711 1.1.2 extends the sign to 32 bits of no sign.
"""

import pytest
from aht20 import AHT20
from bh1750 import BH1750
from bme280 import BME280
from hx711 import HX711
from ina219 import INA219
from scd4x import SCD4x
from sht3x import SHT3x
from sht4x import SHT4x

from emulated.hx711 import FakeHx711
from emulated.i2c import FakeBme280, FakeI2C


class Answers:
    """A bus whose device gives these bytes, whatever it is asked, or those of a register."""

    def __init__(self, answer=b"", registers=None):
        self.answer = answer
        self.registers = registers or {}
        self.asked = b""

    def writeto(self, address, data):
        self.asked = bytes(data)

    def writeto_mem(self, address, register, data):
        pass

    def readfrom_into(self, address, buffer):
        # An SCD4x is asked first whether it has measured.
        is_ready = b"\x80\x06\x04"
        buffer[:] = (is_ready if self.asked == b"\xe4\xb8" else self.answer)[: len(buffer)]

    def readfrom_mem_into(self, address, register, buffer):
        buffer[:] = self.registers[register]


def read(driver):
    driver.start()
    return driver.read()


def assert_alike(mine, theirs, rounding=0.005):
    assert mine == pytest.approx(theirs, abs=rounding + 0.0001)


BY_ITS_ANSWER = [
    # adafruit-circuitpython-sht31d 2.3.31
    (SHT3x, "000081000081", (-45.0, 0.0)),
    (SHT3x, "ffffacffffac", (130.0, 100.0)),
    (SHT3x, "82c9b4b791b6", (44.4053, 71.7067)),
    (SHT3x, "6666938000a2", (25.0, 50.0008)),
    # adafruit-circuitpython-sht4x 1.0.27
    (SHT4x, "000081000081", (-45.0, 0)),
    (SHT4x, "ffffacffffac", (130.0, 100)),
    (SHT4x, "82c9b4b791b6", (44.4053, 83.6334)),
    (SHT4x, "0ed9600a006f", (-34.8501, 0)),
    # adafruit-circuitpython-scd4x 1.4.13
    (SCD4x, "0001b0000081000081", (1, -45.0, 0.0)),
    (SCD4x, "9c4045ffffacffffac", (40000, 130.0, 100.0)),
    (SCD4x, "01f4336667a25eb93c", (500, 25.0027, 37.0016)),
    (SCD4x, "1076b17f830a1a8c06", (4214, 42.1675, 10.37)),
    # adafruit-circuitpython-ahtx0 1.0.30, which reads no checksum
    (AHT20, "18000000000035", (-50.0, 0.0)),
    (AHT20, "18ffffffffff17", (149.9998, 99.9999)),
    (AHT20, "18504ed39f6239", (-4.7176, 31.3703)),
    (AHT20, "186666640000bf", (0.0, 40.0)),
]


@pytest.mark.parametrize(("driver", "answer", "theirs"), BY_ITS_ANSWER)
def test_an_answer_on_i2c_is_read_as_others_read_it(driver, answer, theirs):
    assert_alike(read(driver(Answers(bytes.fromhex(answer)))), theirs)


# adafruit-circuitpython-bh1750 1.1.19
@pytest.mark.parametrize(("answer", "lux"), [("0000", 0), ("0001", 0.8333), ("be5b", 40609.1667)])
def test_a_bh1750_is_read_as_others_read_it(answer, lux):
    assert_alike(read(BH1750(Answers(bytes.fromhex(answer)))), (lux,), 0.05)


# adafruit-circuitpython-ina219 3.5.2, and its shunt voltage over 0.1 ohm
@pytest.mark.parametrize(
    ("bus", "shunt", "theirs"),
    [
        ("5d9a", "2134", (11.98, 0.85)),
        ("0002", "83ff", (0.0, -3.1745)),
        ("1f43", "7cff", (4.0, 3.1999)),
        ("cb22", "ffff", (26.0, -0.0001)),
    ],
)
def test_an_ina219_is_read_as_others_read_it(bus, shunt, theirs):
    registers = {1: bytes.fromhex(shunt), 2: bytes.fromhex(bus)}
    assert_alike(read(INA219(Answers(registers=registers))), theirs, 0)


# Trimming values of three chips, and what RPi.bme280 0.2.4 makes of them in floating point.
TRIMS = [
    (FakeBme280.TEMPERATURE_TRIM, FakeBme280.PRESSURE_TRIM, FakeBme280.HUMIDITY_TRIM),
    (
        (28485, 26735, 50),
        (36738, -10635, 3024, 6980, -4, -7, 9900, -10230, 4285),
        (75, 362, 0, 313, 50, 30),
    ),
    (
        (27978, 26434, 50),
        (37105, -10579, 3024, 7110, -139, -7, 12300, -12000, 5000),
        (75, 366, 0, 309, 0, 30),
    ),
]


@pytest.mark.parametrize(
    ("chip", "raw", "theirs"),
    [
        (0, (370955, 364637, 30476), (-21.8326, 1016.1369, 55.2925)),
        (1, (430000, 326731, 36806), (-8.2095, 983.0152, 88.4798)),
        (2, (519888, 303437, 25101), (22.7671, 1059.3699, 30.1362)),
        (1, (640214, 402088, 23229), (58.8059, 957.985, 15.2366)),
        (2, (370955, 318856, 22547), (-24.164, 954.2738, 14.0597)),
        (0, (430000, 461861, 32576), (-3.1726, 886.5938, 67.2505)),
        (1, (519888, 334666, 18058), (20.4403, 1016.3753, 0.0)),
    ],
)
def test_a_bme280_is_read_as_others_read_it(chip, raw, theirs):
    elapsed_ms = 0
    fake = FakeBme280(lambda: elapsed_ms)
    fake.trim(*TRIMS[chip])
    fake.raw_temperature, fake.raw_pressure, fake.raw_humidity = raw
    driver = BME280(FakeI2C({0x76: fake}))
    elapsed_ms += driver.start()
    # The sheet's integer formulae cut off what its floating ones keep: up to 0.007 degC, 0.011 %.
    assert_alike(driver.read(), theirs, 0.011)


@pytest.mark.parametrize("raw", [1, 0, -1, 0x7FFFFE, -0x7FFFFF, 5238077, -4711])
def test_an_hx711_has_24_bits_with_a_sign(raw):
    """As adafruit-circuitpython-hx711 1.1.2, whose 32 bits are to be read with theirs."""
    elapsed_ms = 0
    fake = FakeHx711(lambda: elapsed_ms, raw)
    driver = HX711(fake.clock, fake.data, fake)
    elapsed_ms += driver.start() + 10
    assert driver.read() == (raw,)
