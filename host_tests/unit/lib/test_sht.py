"""SHT3x and SHT4x: the data sheets' formulae, and no word believed whose checksum is wrong."""

import pytest
from sensirion import crc8
from sht3x import SHT3x
from sht4x import SHT4x

from emulated import i2c_commands
from emulated.i2c_commands import CommandI2C, FakeSht3x, FakeSht4x

BOTH = pytest.mark.parametrize(("driver", "chip"), [(SHT3x, FakeSht3x), (SHT4x, FakeSht4x)])


class Bench:
    """One chip at 0x44 and a clock."""

    def __init__(self, driver, chip, *raw):
        self.elapsed_ms = 0
        self.chip = chip(lambda: self.elapsed_ms, *raw)
        self.bus = CommandI2C({0x44: self.chip})
        self.driver = driver(self.bus)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


def test_the_checksum_is_that_of_sensirions_own_examples():
    # SHT3x-DIS, 'Checksum calculation'; SGP40, the default humidity and temperature.
    for word, crc in ((b"\xbe\xef", 0x92), (b"\x80\x00", 0xA2), (b"\x66\x66", 0x93)):
        assert crc8(word) == i2c_commands.crc8(word) == crc


@pytest.mark.parametrize(
    ("driver", "chip", "raw", "expected"),
    [
        # The ends and middles of the formulae: 'Conversion of signal output'.
        (SHT3x, FakeSht3x, (0, 0), (-45, 0)),
        (SHT3x, FakeSht3x, (0xFFFF, 0xFFFF), (130, 100)),
        (SHT3x, FakeSht3x, (0x6666, 0x8000), (25, 50)),
        (SHT4x, FakeSht4x, (0xFFFF, 0xFFFF), (130, 100)),
        (SHT4x, FakeSht4x, (0x6666, 0x8000), (25, 56.5)),
        (SHT4x, FakeSht4x, (0, 0), (-45, 0)),
        (SHT4x, FakeSht4x, (0x4000, 0x7333), (-1.25, 50.25)),
    ],
)
def test_raw_words_become_degrees_and_percent(driver, chip, raw, expected):
    bench = Bench(driver, chip, *raw)
    assert bench.driver.FIELDS == ("temperature", "humidity")
    assert bench.measure() == expected


@BOTH
def test_whole_numbers_agree_with_the_published_formula_over_the_range(driver, chip):
    bench = Bench(driver, chip)
    for raw in range(0, 0x10000, 251):
        bench.chip.raw = (raw, raw)
        temperature, humidity = bench.measure()
        assert temperature == pytest.approx(-45 + 175 * raw / 65535, abs=0.00501)
        percent = 100 * raw / 65535 if driver is SHT3x else -6 + 125 * raw / 65535
        assert humidity == pytest.approx(min(max(percent, 0), 100), abs=0.00501)


@BOTH
def test_no_value_comes_too_early_twice_or_from_before_a_loss_of_power(driver, chip):
    bench = Bench(driver, chip)
    bench.driver.start()
    with pytest.raises(OSError):
        bench.driver.read()
    bench.elapsed_ms += 20
    bench.driver.read()
    with pytest.raises(OSError):
        bench.driver.read()
    bench.elapsed_ms += bench.driver.start()
    bench.chip.power_cycle()
    with pytest.raises(OSError):
        bench.driver.read()
