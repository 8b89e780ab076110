"""Uptime never wraps and never steps; Unix time is right on every port, or unknown."""

import random
from types import SimpleNamespace

import pytest

from fakes.clock import TICKS_PERIOD, FakeTime
from firmware.clock import Clock

DAY_MS = 86_400_000


@pytest.mark.parametrize("seed", range(5))
def test_uptime_grows_through_many_wraps(seed: int) -> None:
    rng = random.Random(seed)
    time = FakeTime(start_ticks_ms=TICKS_PERIOD - rng.randrange(1000))
    clock = Clock(time)
    true_ms = 0
    while true_ms < 400 * DAY_MS:
        step_ms = rng.randrange(6 * DAY_MS)
        time.advance_ms(step_ms)
        true_ms += step_ms
        assert clock.uptime_ms() == true_ms


def test_uptime_stays_when_the_wall_clock_steps_back() -> None:
    time = FakeTime(start_unix_s=1_795_368_917)
    clock = Clock(time, is_set=True)
    time.advance_ms(5000)
    time.set_unix_s(1_500_000_000)
    assert clock.uptime_ms() == 5000
    assert clock.unix_s() == 1_500_000_000


@pytest.mark.parametrize("epoch_year", [1970, 2000])
def test_unix_time_is_the_same_whatever_the_ports_epoch(epoch_year: int) -> None:
    time = FakeTime(start_unix_s=1_795_368_917, epoch_year=epoch_year)
    clock = Clock(time, is_set=True)
    time.advance_ms(1500)
    assert clock.unix_s() == 1_795_368_918


def test_unix_time_is_unknown_until_somebody_sets_it() -> None:
    time = FakeTime()
    clock = Clock(time, is_set=False)
    assert clock.unix_s() is None
    time.set_unix_s(1_795_368_917)
    clock.set_unix_s(1_795_368_917)
    time.advance_ms(2000)
    assert clock.unix_s() == 1_795_368_919


def test_the_fake_ticks_wrap_as_the_ports_do() -> None:
    time = FakeTime(start_ticks_ms=TICKS_PERIOD - 1)
    before = time.ticks_ms()
    time.sleep_ms(2)
    assert time.ticks_ms() == 1
    assert time.ticks_diff(time.ticks_ms(), before) == 2
    assert time.ticks_add(before, 2) == 1
    with pytest.raises(OverflowError):
        time.ticks_add(0, TICKS_PERIOD // 2)


def test_the_real_time_clock_is_told_in_milliseconds_with_and_without_nanoseconds() -> None:
    time = FakeTime(start_unix_s=1_795_368_917)
    time.advance_ms(1500)
    assert Clock(time).rtc_ms() == time.time_ns() // 1_000_000
    # An ESP8266 has whole seconds alone.
    seconds_alone = SimpleNamespace(
        time=time.time,
        ticks_ms=time.ticks_ms,
        ticks_diff=time.ticks_diff,
        ticks_add=time.ticks_add,
        sleep_ms=time.sleep_ms,
        gmtime=time.gmtime,
    )
    assert Clock(seconds_alone).rtc_ms() == int(time.time()) * 1000
