"""The SCD4x driver: the data sheet's example, and a chip that goes on while the board rests."""

import pytest
from scd4x import SCD4x

from emulated.i2c_commands import CommandI2C, FakeScd4x, words


class Bench:
    """One chip and a clock."""

    def __init__(self, *raw):
        self.elapsed_ms = 0
        self.chip = FakeScd4x(lambda: self.elapsed_ms, *raw)
        self.bus = CommandI2C({0x62: self.chip})
        self.driver = self.anew()

    def anew(self):
        return SCD4x(self.bus, time=self)

    def sleep_ms(self, duration_ms):
        self.elapsed_ms += duration_ms

    def measure(self):
        self.sleep_ms(self.driver.start())
        return self.driver.read()


def test_the_example_of_the_data_sheet_comes_out():
    # Section 3.5.2: 500 ppm, 25 degC, 37 %RH.
    assert words(500, 0x6667, 0x5EB9) == b"\x01\xf4\x33\x66\x67\xa2\x5e\xb9\x3c"
    bench = Bench()
    assert bench.driver.FIELDS == ("co2", "temperature", "humidity")
    assert bench.measure() == (500, 25, 37)


def test_the_first_measurement_takes_5_s_and_later_ones_are_waiting():
    bench = Bench()
    assert bench.driver.start() == 5100
    bench.elapsed_ms += 5000
    bench.driver.read()
    bench.elapsed_ms += 60000
    bench.chip.raw = (812, 0x6667, 0x5EB9)
    assert bench.driver.start() == 0
    assert bench.driver.read()[0] == 812


def test_a_board_that_restarts_finds_the_chip_measuring():
    bench = Bench()
    bench.measure()
    bench.driver = bench.anew()
    # Nothing new yet, and it refuses to be started twice.
    assert bench.driver.start() == 5100
    bench.elapsed_ms += 5000
    assert bench.driver.read()[0] == 500
    bench.elapsed_ms += 5000
    bench.driver = bench.anew()
    assert bench.driver.start() == 0
    assert bench.driver.read()[0] == 500


def test_a_chip_that_lost_its_power_is_an_error_once_and_then_started_again():
    bench = Bench()
    bench.measure()
    bench.chip.power_cycle()
    with pytest.raises(OSError, match="lost power"):
        bench.measure()
    assert bench.measure()[0] == 500


def test_reading_too_early_is_an_error_and_no_old_value():
    bench = Bench()
    bench.measure()
    bench.sleep_ms(bench.driver.start() - 1000)
    with pytest.raises(OSError, match="no measurement"):
        bench.driver.read()


def test_a_bad_checksum_and_a_co2_of_0_are_value_errors():
    bench = Bench()
    bench.measure()
    bench.elapsed_ms += 5000
    bench.chip.corrupt = True
    for call in (bench.driver.start, bench.driver.read):
        with pytest.raises(ValueError, match="bad checksum"):
            call()
    with pytest.raises(ValueError, match="co2 is 0"):
        Bench(0, 0x6667, 0x5EB9).measure()
