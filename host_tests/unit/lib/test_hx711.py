"""The HX711 driver: every bit with its sign, asleep in between, and no value without a chip."""

import pytest
from hx711 import HX711

from emulated.hx711 import FakeHx711


class Bench:
    """One chip and a clock."""

    def __init__(self, raw=0, **options):
        self.elapsed_ms = 0
        self.chip = FakeHx711(lambda: self.elapsed_ms, raw & 0xFFFFFF)
        self.driver = HX711(self.chip.clock, self.chip.data, self.chip, **options)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


@pytest.mark.parametrize("raw", [0, 1, -1, 0x555555, -0x555555, 0x7FFFFE, -0x7FFFFF])
def test_24_bits_come_with_their_sign(raw):
    bench = Bench(raw)
    assert bench.driver.FIELDS == ("weight",)
    assert bench.measure() == (raw,)


def test_the_weight_is_raw_less_offset_by_scale():
    bench = Bench(123456, scale=420.5, offset=81406, field="hive", decimals=2)
    assert bench.driver.FIELDS == ("hive",)
    assert bench.measure() == (100,)


def test_the_chip_is_powered_down_between_readings_and_each_one_is_new():
    bench = Bench(1000)
    assert bench.driver.start() == 400
    bench.elapsed_ms += 400
    assert bench.driver.read() == (1000,)
    bench.chip.sleep_us(60)
    assert bench.chip.is_down()
    bench.chip.raw = 2000
    assert bench.measure() == (2000,)


def test_a_reset_lasts_long_enough_for_the_first_value_to_be_good():
    bench = Bench(1000)
    begun_us = bench.chip.now_us
    assert bench.measure() == (1000,)
    assert bench.chip.now_us - begun_us >= 10_000


def test_a_chip_whose_oscillator_is_slow_is_waited_for_and_one_that_never_settles_is_not():
    bench = Bench(1000)
    bench.chip.settling_ms = 470
    assert bench.measure() == (1000,)
    bench.chip.settling_ms = 550
    begun_us = bench.chip.now_us
    with pytest.raises(OSError, match="not ready"):
        bench.measure()
    assert bench.chip.now_us - begun_us < 112_000


def test_an_absent_chip_is_an_os_error_and_a_line_held_low_a_value_error():
    bench = Bench(1000)
    bench.chip.present = False
    with pytest.raises(OSError, match="not there"):
        bench.measure()
    bench.chip.present = True
    bench.chip.held_low = True
    with pytest.raises(ValueError, match="held low"):
        bench.measure()


def test_a_load_cell_beyond_its_range_is_an_error():
    for raw in (0x7FFFFF, -0x800000):
        with pytest.raises(ValueError, match="beyond its range"):
            Bench(raw).measure()


@pytest.mark.parametrize("pulse", [1, 12, 20, 24, 25])
def test_a_pulse_that_an_interrupt_stretched_gives_no_value_and_the_next_reading_is_good(pulse):
    bench = Bench(1000)
    bench.chip.stretched = pulse
    with pytest.raises(ValueError, match="disturbed by an interrupt"):
        bench.measure()
    bench.chip.stretched = None
    assert bench.measure() == (1000,)


def test_a_scale_of_0_is_refused():
    with pytest.raises(ValueError, match="scale is 0"):
        Bench(scale=0)
