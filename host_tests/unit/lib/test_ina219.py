"""The INA219 driver against the data sheet's worked example and a chip that misbehaves."""

import pytest
from ina219 import INA219

from emulated.i2c_commands import CommandI2C, FakeIna219


class Bench:
    """One chip and a clock."""

    def __init__(self, shunt=2000, bus=2995, shunt_mohm=2):
        self.elapsed_ms = 0
        self.chip = FakeIna219(lambda: self.elapsed_ms, shunt, bus)
        self.bus = CommandI2C({0x40: self.chip})
        self.driver = INA219(self.bus, shunt_mohm=shunt_mohm)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


def test_the_worked_example_of_the_data_sheet_comes_out():
    # Table 8: shunt register 07D0h (20 mV) at 2 mOhm, bus register 5D98h: 11.98 V, 10 A.
    bench = Bench()
    assert bench.driver.FIELDS == ("voltage", "current")
    assert 2995 << 3 == 0x5D98
    assert bench.measure() == (11.98, 10)


def test_a_current_that_flows_back_is_negative():
    assert Bench(shunt=-2000).measure()[1] == -10
    assert Bench(shunt=-1, shunt_mohm=100).measure()[1] == -0.0001
    assert Bench(shunt=12345, shunt_mohm=100).measure()[1] == 1.2345


def test_a_current_beyond_the_shunts_range_is_an_error():
    for shunt in (32000, -32000):
        with pytest.raises(ValueError, match="beyond the range"):
            Bench(shunt=shunt).measure()
    assert Bench(shunt=31999).measure()


def test_reading_too_early_is_an_error_and_every_reading_is_new():
    bench = Bench()
    bench.measure()
    bench.elapsed_ms += bench.driver.start() - 1
    with pytest.raises(OSError, match="too long"):
        bench.driver.read()
    bench.chip.bus = 1250
    bench.chip.power_cycle()
    assert bench.measure()[0] == 5
