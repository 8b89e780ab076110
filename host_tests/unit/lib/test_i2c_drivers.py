"""What every driver of a chip that takes commands on I2C promises, whichever chip it is."""

import pytest
from aht20 import AHT20
from bh1750 import BH1750
from ina219 import INA219
from scd4x import SCD4x
from sgp40 import SGP40
from sht3x import SHT3x
from sht4x import SHT4x

from emulated import i2c_commands
from emulated.i2c import EIO, ENODEV, ETIMEDOUT
from emulated.i2c_commands import CommandI2C

CHECKED = [
    (AHT20, i2c_commands.FakeAht20, 0x38),
    (SCD4x, i2c_commands.FakeScd4x, 0x62),
    (SGP40, i2c_commands.FakeSgp40, 0x59),
    (SHT3x, i2c_commands.FakeSht3x, 0x44),
    (SHT4x, i2c_commands.FakeSht4x, 0x44),
]
# These send no checksum.
UNCHECKED = [(BH1750, i2c_commands.FakeBh1750, 0x23), (INA219, i2c_commands.FakeIna219, 0x40)]


def each(drivers):
    names = [driver.__name__ for driver, _, _ in drivers]
    return pytest.mark.parametrize(("driver", "chip", "address"), drivers, ids=names)


class Bench:
    """One chip at its address, and a clock that the driver can wait by."""

    def __init__(self, driver, chip, address):
        self.elapsed_ms = 0
        self.chip = chip(lambda: self.elapsed_ms)
        self.bus = CommandI2C({address: self.chip})
        self.driver = driver(self.bus)
        if hasattr(self.driver, "_time"):
            self.driver._time = self

    def sleep_ms(self, duration_ms):
        self.elapsed_ms += duration_ms

    def measure(self):
        self.sleep_ms(self.driver.start())
        return self.driver.read()


@each(CHECKED + UNCHECKED)
def test_a_chip_that_is_there_is_read_again_and_again_with_a_value_for_each_field(
    driver, chip, address
):
    bench = Bench(driver, chip, address)
    for _ in range(3):
        values = bench.measure()
        assert len(values) == len(bench.driver.FIELDS)
        assert all(isinstance(value, (int, float)) for value in values)
        bench.sleep_ms(10_000)


@each(CHECKED + UNCHECKED)
@pytest.mark.parametrize("absent_errno", [ENODEV, EIO])  # an ESP32's, an RP2's
def test_an_absent_chip_is_an_os_error_with_the_ports_own_errno(
    driver, chip, address, absent_errno
):
    with pytest.raises(OSError) as caught:
        driver(CommandI2C({}, absent_errno)).start()
    assert caught.value.args[0] == absent_errno


@each(CHECKED + UNCHECKED)
def test_a_stuck_bus_is_an_os_error_in_every_call_and_does_no_lasting_harm(driver, chip, address):
    bench = Bench(driver, chip, address)
    bench.measure()
    bench.sleep_ms(10_000)
    bench.bus.stuck = True
    for call in (bench.driver.start, bench.driver.read):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.args[0] == ETIMEDOUT
    bench.bus.stuck = False
    bench.measure()


@each(CHECKED)
def test_a_bad_checksum_is_a_value_error_and_the_next_reading_is_good(driver, chip, address):
    bench = Bench(driver, chip, address)
    good = bench.measure()
    bench.sleep_ms(10_000)
    bench.chip.corrupt = True
    with pytest.raises(ValueError, match="bad checksum"):
        bench.measure()
    bench.chip.corrupt = False
    bench.sleep_ms(10_000)
    assert bench.measure() == good


@each([one for one in CHECKED if one[0] is not SCD4x])
@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_a_line_that_stays_low_or_high_has_no_good_checksum(driver, chip, address, byte):
    bench = Bench(driver, chip, address)
    bench.sleep_ms(bench.driver.start())
    bench.chip.read = lambda count: byte * count
    with pytest.raises(ValueError, match="bad checksum"):
        bench.driver.read()


@each([one for one in CHECKED + UNCHECKED if one[0] not in (BH1750, SCD4x)])
def test_reading_too_early_is_an_error_and_no_old_value(driver, chip, address):
    bench = Bench(driver, chip, address)
    bench.measure()
    bench.sleep_ms(10_000)
    bench.sleep_ms(bench.driver.start() - 2)
    with pytest.raises(OSError):
        bench.driver.read()
