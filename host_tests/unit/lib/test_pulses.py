"""The pulse counter: each pulse once, bounce not at all, and none lost between readings."""

import random

from pulses import Pulses

from emulated.pin import FakePin

_WRAP = 1 << 30


class Bench:
    """A contact to ground and a clock whose ticks wrap as a board's do."""

    def __init__(self, start_ms=0, **options):
        self.now_ms = start_ms
        self.pin = FakePin(1)
        self.driver = Pulses(self.pin, self, **options)

    def ticks_ms(self):
        return self.now_ms % _WRAP

    def ticks_diff(self, end, start):
        return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2

    def pulse(self, bounces=0, apart_ms=100):
        for _ in range(bounces + 1):
            self.pin.drive(0)
            self.pin.drive(1)
            self.now_ms += 1
        self.now_ms += apart_ms - bounces - 1


def test_each_reading_has_the_pulses_since_the_one_before():
    bench = Bench()
    assert bench.driver.FIELDS == ("pulses",)
    assert bench.driver.read() == (0,)
    for count in (3, 0, 1, 250):
        for _ in range(count):
            bench.pulse()
        assert bench.driver.start() == 0
        assert bench.driver.read() == (count,)


def test_contact_bounce_is_not_counted():
    bench = Bench(debounce_ms=10)
    source = random.Random(3)
    for _ in range(100):
        bench.pulse(bounces=source.randrange(8))
    assert bench.driver.read() == (100,)


def test_pulses_just_beyond_the_bounce_all_count():
    bench = Bench(debounce_ms=10)
    for _ in range(50):
        bench.pulse(apart_ms=10)
    assert bench.driver.read() == (50,)
    bench = Bench(debounce_ms=0)
    for _ in range(50):
        bench.pulse(apart_ms=1)
    assert bench.driver.read() == (50,)


def test_a_pulse_after_days_of_silence_counts_wherever_the_ticks_are():
    for silence_ms in (_WRAP // 2 - 1, _WRAP // 2, _WRAP // 2 + 5, _WRAP - 20, _WRAP + 20):
        bench = Bench(start_ms=_WRAP - 3)
        bench.pulse()
        bench.pulse(apart_ms=silence_ms)
        bench.pulse()
        assert bench.driver.read() == (3,)


def test_what_a_sleep_has_counted_is_in_the_first_reading_and_only_there():
    tally = [17, 0, 0]
    bench = Bench(tally=tally)
    bench.pulse(bounces=2)
    assert bench.driver.read() == (18,)
    assert bench.driver.read() == (0,)
    assert tally == [18, 18, 3]


def test_pulses_are_scaled_to_what_they_stand_for():
    bench = Bench(scale=0.2794, field="rain_mm")
    for _ in range(3):
        bench.pulse()
    assert bench.driver.FIELDS == ("rain_mm",)
    assert bench.driver.read() == (0.8382,)
