"""When a sleeping node samples, delivers and wakes: promises about times, with no node at all."""

import random
from typing import Any

import pytest

from firmware.duty_cycle.grid import Grid

MINUTE_MS = 60_000
START_MS = 1_000_000_007
HOUR_MS = 60 * MINUTE_MS


def grid_of(deliver_every: int = 1, retry_max_ms: int = HOUR_MS, **kept: int) -> Grid:
    return Grid(MINUTE_MS, deliver_every, retry_max_ms, kept.pop("next_ms", START_MS), **kept)


def wake(grid: Grid, now_ms: int, took_ms: int = 1000, is_extra: bool = False) -> int:
    """One wake at `now_ms`; when the next one is due."""
    grid.begin(is_extra, 1)
    return now_ms + took_ms + grid.end(now_ms + took_ms)


def points(now_ms: int) -> int:
    """How far `now_ms` is from the grid of the start."""
    return (now_ms - START_MS) % MINUTE_MS


# -- samples ----------------------------------------------------------------------------------


def test_samples_stay_on_their_grid_however_long_the_wakes_are() -> None:
    grid, rng, now_ms = grid_of(), random.Random(1), START_MS
    for count in range(1, 500):
        now_ms = wake(grid, now_ms, rng.randrange(1, MINUTE_MS))
        assert now_ms == START_MS + count * MINUTE_MS


def test_a_wake_longer_than_the_interval_leaves_points_out_and_keeps_to_the_grid() -> None:
    due_ms = wake(grid_of(), START_MS, took_ms=3 * MINUTE_MS + 5000)
    assert due_ms == START_MS + 4 * MINUTE_MS


def test_a_wake_that_ends_at_a_point_does_not_take_that_point_twice() -> None:
    assert wake(grid_of(), START_MS, took_ms=MINUTE_MS) == START_MS + 2 * MINUTE_MS


@pytest.mark.parametrize("early_ms", [1, 1499, 20_000])
def test_a_sleep_that_ended_early_takes_the_reading_of_its_point_and_no_other(
    early_ms: int,
) -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    assert wake(grid, due_ms - early_ms, took_ms=0) == due_ms + MINUTE_MS


def test_a_clock_of_whole_seconds_does_not_double_the_readings_of_a_short_interval() -> None:
    grid = Grid(1000, 1, HOUR_MS, START_MS)
    grid.begin(False, 1)
    # It shows up to a second less than is true: the wake seems to come before its point.
    assert START_MS - 999 + grid.end(START_MS - 999) == START_MS + 1000


@pytest.mark.parametrize("late_ms", [1, 700, 59_000])
def test_a_sleep_that_ended_late_does_not_move_the_grid(late_ms: int) -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    assert wake(grid, due_ms + late_ms, took_ms=0) == due_ms + MINUTE_MS


def test_while_the_interval_is_stretched_readings_are_that_much_rarer() -> None:
    grid = grid_of()
    grid.begin(False, 4)
    assert grid.interval_ms() == 4 * MINUTE_MS
    assert START_MS + 1000 + grid.end(START_MS + 1000) == START_MS + 4 * MINUTE_MS


def test_an_interval_that_was_made_shorter_counts_from_this_wake() -> None:
    grid = grid_of()
    grid.begin(False, 1)
    grid.sample_ms = 10_000
    assert START_MS + 1000 + grid.end(START_MS + 1000) == START_MS + 10_000


def test_no_sleep_is_shorter_than_a_millisecond_nor_longer_than_its_interval_allows() -> None:
    rng = random.Random(7)
    for _ in range(5000):
        grid = grid_of()
        grid.begin(rng.random() < 0.3, rng.choice((1, 4)))
        now_ms = START_MS + rng.randrange(-HOUR_MS, HOUR_MS)
        if rng.random() < 0.2:
            grid.sample_now(now_ms)
        interval_ms = grid.interval_ms()
        assert 1 <= grid.end(now_ms) <= interval_ms + max(interval_ms // 2, 1500)


# -- extra wakes ------------------------------------------------------------------------------


def test_an_extra_wake_uses_up_no_point_of_the_grid() -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    assert wake(grid, due_ms - 30_000, is_extra=True) == due_ms


def test_a_reading_that_came_due_during_an_extra_wake_is_taken_late_and_not_left_out() -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    ends_ms = due_ms + 5000
    assert wake(grid, due_ms - 1000, took_ms=6000, is_extra=True) == ends_ms + 1
    assert wake(grid, ends_ms + 1) == due_ms + MINUTE_MS


def test_an_extra_wake_longer_than_the_interval_goes_on_at_a_point_of_the_grid() -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    after_ms = wake(grid, due_ms - 1000, took_ms=5 * MINUTE_MS, is_extra=True)
    assert points(after_ms) == 0 and after_ms > due_ms + 4 * MINUTE_MS


# -- readings by command ----------------------------------------------------------------------


def test_a_reading_that_is_asked_for_is_taken_when_this_wake_ends() -> None:
    grid = grid_of()
    grid.begin(False, 1)
    grid.sample_now(START_MS + 800)
    assert grid.end(START_MS + 1000) == 1


def test_the_grid_goes_on_from_a_reading_that_was_asked_for() -> None:
    grid = grid_of()
    grid.begin(False, 1)
    grid.sample_now(START_MS + 800)
    now_ms = START_MS + 1000 + grid.end(START_MS + 1000)
    assert wake(grid, now_ms) == START_MS + 800 + MINUTE_MS


def test_a_reading_is_asked_for_once() -> None:
    grid = grid_of()
    grid.begin(False, 1)
    grid.sample_now(START_MS + 800)
    now_ms = START_MS + 1000 + grid.end(START_MS + 1000)
    for _ in range(3):
        due_ms = wake(grid, now_ms)
        assert due_ms - now_ms > MINUTE_MS - 1000
        now_ms = due_ms


# -- the clock is set -------------------------------------------------------------------------


@pytest.mark.parametrize("step_ms", [-800_000_000_000, -5000, 3000, 1_700_000_000_000])
def test_a_clock_that_is_set_changes_no_sleep(step_ms: int) -> None:
    grid, same = grid_of(), grid_of()
    for one in (grid, same):
        one.begin(False, 1)
    grid.clock_stepped(step_ms)
    assert grid.end(START_MS + step_ms + 1000) == same.end(START_MS + 1000)


def test_a_clock_that_is_set_changes_no_wait_for_the_next_try() -> None:
    grid = grid_of()
    grid.not_delivered(START_MS)
    grid.clock_stepped(10 * HOUR_MS)
    after_ms = START_MS + 10 * HOUR_MS
    assert not grid.may_try(after_ms + MINUTE_MS - 1)
    assert grid.may_try(after_ms + MINUTE_MS)


@pytest.mark.parametrize("jump_ms", [-40 * HOUR_MS, -2 * MINUTE_MS, 2 * MINUTE_MS, 40 * HOUR_MS])
def test_a_clock_that_jumped_unnoticed_costs_an_interval_and_a_half_at_most(jump_ms: int) -> None:
    grid = grid_of()
    grid.begin(False, 1)
    assert grid.end(START_MS + jump_ms) <= MINUTE_MS * 3 // 2


def test_a_clock_that_was_set_back_does_not_keep_a_node_from_trying() -> None:
    grid = grid_of()
    grid.not_delivered(START_MS)
    assert grid.may_try(START_MS - 2 * HOUR_MS)


# -- deliveries -------------------------------------------------------------------------------


@pytest.mark.parametrize(("waiting", "complete"), [(0, False), (6, False), (7, True), (9, True)])
def test_a_batch_is_complete_with_the_reading_of_this_wake(waiting: int, complete: bool) -> None:
    assert grid_of(deliver_every=8).is_complete(waiting) == complete


def test_what_failed_is_tried_again_after_waits_that_double_up_to_a_bound() -> None:
    grid, waits_ms = grid_of(retry_max_ms=10 * MINUTE_MS), []
    for _ in range(7):
        grid.not_delivered(START_MS)
        waits_ms.append(grid.retry_at_ms - START_MS)
    assert waits_ms == [one * MINUTE_MS for one in (1, 2, 4, 8, 10, 10, 10)]


def test_no_number_of_failures_makes_a_wait_without_a_bound() -> None:
    grid = grid_of(retry_max_ms=1 << 40, failed=100_000)
    grid.not_delivered(START_MS)
    assert grid.retry_at_ms - START_MS == MINUTE_MS << 10


def test_a_failure_holds_back_deliveries_and_no_reading() -> None:
    grid = grid_of(retry_max_ms=10 * MINUTE_MS)
    for _ in range(4):
        grid.not_delivered(START_MS)
    assert wake(grid, START_MS) == START_MS + MINUTE_MS
    assert not grid.may_try(START_MS + MINUTE_MS)
    assert grid.may_try(START_MS + 8 * MINUTE_MS)


def test_after_a_delivery_the_next_failure_is_a_first_one() -> None:
    grid = grid_of()
    for _ in range(5):
        grid.not_delivered(START_MS)
    grid.delivered()
    assert grid.may_try(START_MS)
    grid.not_delivered(START_MS)
    assert grid.retry_at_ms == START_MS + MINUTE_MS


def test_a_node_kept_awake_tries_with_its_next_reading_whatever_failed() -> None:
    grid = grid_of()
    for _ in range(5):
        grid.not_delivered(START_MS)
    grid.try_at_once()
    assert grid.may_try(START_MS)


# -- what is said of it, and what is kept -----------------------------------------------------


@pytest.mark.parametrize("count", [1, 8])
def test_the_time_that_is_told_is_that_of_the_reading_which_completes_the_next_batch(
    count: int,
) -> None:
    grid, now_ms = grid_of(), START_MS
    grid.begin(False, 1)
    told_ms = grid.reading_due_ms(count)
    for _ in range(count):
        now_ms = wake(grid, now_ms)
    assert now_ms == told_ms


def test_an_extra_reading_is_one_of_the_batch_that_is_told() -> None:
    grid = grid_of()
    due_ms = wake(grid, START_MS)
    grid.begin(True, 1)
    assert grid.reading_due_ms(1) == due_ms
    assert grid.reading_due_ms(3) == due_ms + 2 * MINUTE_MS


@pytest.mark.parametrize("seed", range(5))
def test_a_grid_that_goes_on_from_what_was_kept_gives_the_same_times(seed: int) -> None:
    rng, now_ms = random.Random(seed), START_MS
    grid = grid_of()
    for _ in range(200):
        kept: dict[str, Any] = {"retry_at_ms": grid.retry_at_ms, "failed": grid.failed}
        again = grid_of(next_ms=grid.next_ms, **kept)
        is_extra, took_ms = rng.random() < 0.2, rng.randrange(1, 2 * MINUTE_MS)
        if rng.random() < 0.3:
            for one in (grid, again):
                one.not_delivered(now_ms)
        due_ms = wake(grid, now_ms, took_ms, is_extra)
        assert wake(again, now_ms, took_ms, is_extra) == due_ms
        assert again.retry_at_ms == grid.retry_at_ms
        now_ms = due_ms


@pytest.mark.parametrize(("back", "points_left_out"), [(0.45, 0), (0.5, 0), (0.55, 1)])
def test_a_clock_that_goes_back_by_less_than_half_an_interval_costs_no_point(
    back: float, points_left_out: int
) -> None:
    """A wake can be early by that much; beyond it, it is the clock that was set."""
    interval_ms = HOUR_MS
    grid = Grid(interval_ms, 1, HOUR_MS, START_MS)
    grid.begin(False, 1)
    now_ms = START_MS - int(back * interval_ms)
    due_ms = now_ms + grid.end(now_ms)
    assert due_ms == START_MS + interval_ms * (1 - points_left_out)


# -- a fleet's batches --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "is_first", "failed", "lead"),
    [(19, True, 0, 3), (16, True, 0, 0), (19, False, 0, 0), (19, False, 1, 0), (19, False, 2, 3)],
)
def test_the_batch_after_the_first_delivery_and_after_an_outage_is_short_by_the_phase(
    phase: int, is_first: bool, failed: int, lead: int
) -> None:
    grid = grid_of(deliver_every=8, failed=failed)
    assert grid.next_lead(phase, is_first) == lead
    grid.delivered(lead)
    assert [grid.is_complete(waiting) for waiting in (6 - lead, 7 - lead)] == [False, True]
    grid.delivered()
    assert [grid.is_complete(waiting) for waiting in (6, 7)] == [False, True]
