"""The simulated climate: seeded, smooth, within its range, a day long."""

from itertools import pairwise

import pytest
from simulated import Simulated

MIDNIGHT_S = 1_795_305_600


class Clock:
    def __init__(self, times_s):
        self._times_s = iter(times_s)

    def time(self):
        return next(self._times_s)


def readings(seed, times_s, **options):
    driver = Simulated(Clock(times_s), seed, **options)
    return [driver.read() for _ in times_s]


def test_the_same_seed_and_time_make_the_same_values():
    times_s = range(MIDNIGHT_S, MIDNIGHT_S + 86400, 600)
    assert readings(7, times_s) == readings(7, times_s)
    assert readings(7, times_s) != readings(8, times_s)
    # MicroPython and boards of 32 bits must give these, too: host_tests/on_port/test_drivers.py.
    assert readings(7, [MIDNIGHT_S]) == [(17.55, 59.17)]


def test_values_stay_in_range_and_move_slowly():
    for seed in (0, 1, 2**31, 10**9):
        values = readings(seed, range(MIDNIGHT_S, MIDNIGHT_S + 3 * 86400, 60))
        assert all(15 <= t <= 25 and 35 <= h <= 75 for t, h in values)
        for at in (0, 1):
            series = [value[at] for value in values]
            steps = [abs(b - a) for a, b in pairwise(series)]
            assert max(steps) < (0.1, 0.4)[at]


def test_the_afternoon_is_warmer_and_drier_than_the_night():
    night, afternoon = readings(3, [MIDNIGHT_S + 3 * 3600, MIDNIGHT_S + 15 * 3600])
    assert afternoon[0] > night[0] + 5
    assert afternoon[1] < night[1] - 10


@pytest.mark.parametrize("period_s", [2, 3, 60, 604800])
def test_any_allowed_length_of_the_day_works(period_s):
    temperatures = {
        t for t, _ in readings(1, range(MIDNIGHT_S, MIDNIGHT_S + 200), period_s=period_s)
    }
    assert len(temperatures) > 1


def test_every_nth_reading_fails_if_so_configured():
    driver = Simulated(Clock([MIDNIGHT_S] * 9), fail_every=3)
    outcomes = []
    for _ in range(9):
        try:
            driver.read()
            outcomes.append(True)
        except OSError:
            outcomes.append(False)
    assert outcomes == [True, True, False] * 3
