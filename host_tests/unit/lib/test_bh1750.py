"""The BH1750 driver against the data sheet's example and a chip that is not there."""

import pytest
from bh1750 import BH1750

from emulated.i2c_commands import CommandI2C, FakeBh1750


class Bench:
    """One chip and a clock."""

    def __init__(self, counts):
        self.elapsed_ms = 0
        self.chip = FakeBh1750(lambda: self.elapsed_ms, counts)
        self.bus = CommandI2C({0x23: self.chip})
        self.driver = BH1750(self.bus)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


def test_counts_become_lux_as_in_the_data_sheet():
    # 'In case High Byte = "10000011", Low Byte = "10010000": 28067 lx' (rounded there).
    bench = Bench(0b1000001110010000)
    assert bench.driver.FIELDS == ("illuminance",)
    assert bench.measure() == (28066.7,)
    assert round(bench.measure()[0]) == 28067


def test_every_count_is_rounded_to_a_tenth():
    for counts in (*range(100), 0x7FFF, 0xFFFE, 0xFFFF):
        lux = Bench(counts).measure()[0]
        assert lux == pytest.approx(counts / 1.2, abs=0.0501)
        assert lux == round(lux, 1)


def test_every_reading_is_a_new_measurement_and_the_chip_is_woken_for_it():
    bench = Bench(12)
    assert bench.measure() == (10,)
    bench.chip.counts = 24
    assert bench.measure() == (20,)
    bench.chip.power_cycle()
    assert bench.measure() == (20,)
