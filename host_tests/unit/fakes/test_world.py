"""Virtual time: the same order every time, waits that end, and clocks as unset as a board's."""

import pytest

from fakes.world import Hang, NodeTime, World


def test_events_happen_in_the_order_of_their_time_and_then_of_their_making() -> None:
    world = World()
    seen: list[tuple[str, int]] = []
    for name, delay_ms in (("late", 20), ("first", 10), ("second", 10)):
        world.after_ms(delay_ms, lambda name=name: seen.append((name, world.now_ms)))
    world.after_ms(5, seen.append, ("cancelled", 5)).cancel()
    world.sleep_ms(15)
    assert seen == [("first", 10), ("second", 10)]
    assert world.now_ms == 15
    world.sleep_ms(100)
    assert seen[-1] == ("late", 20)


def test_a_wait_ends_at_the_event_that_it_waits_for() -> None:
    world = World()
    box: list[int] = []
    world.after_ms(30, box.append, 1)
    assert world.wait_until(world.now_us + 1_000_000, lambda: bool(box))
    assert world.now_ms == 30


def test_a_wait_that_nothing_ends_is_a_hang_and_no_exception_that_firmware_could_handle() -> None:
    world = World()
    with pytest.raises(Hang):
        world.wait_until(None, lambda: False)
    assert not issubclass(Hang, Exception)


def test_an_interrupt_ends_the_wait_at_its_moment() -> None:
    world = World()
    world.after_ms(70, lambda: world.interrupt(KeyError("power")))
    with pytest.raises(KeyError):
        world.sleep_ms(1000)
    assert world.now_ms == 70
    world.interrupt(KeyError("again"))
    with pytest.raises(KeyError):
        world.sleep_ms(1)


def test_ticks_wrap_and_differences_do_not() -> None:
    world = World()
    time = NodeTime(world, ticks_ms=(1 << 30) - 5)
    before = time.ticks_ms()
    time.sleep_ms(10)
    assert time.ticks_ms() == 5
    assert time.ticks_diff(time.ticks_ms(), before) == 10
    assert time.ticks_add(before, 10) == 5
    with pytest.raises(OverflowError):
        time.ticks_add(0, 1 << 29)


@pytest.mark.parametrize("epoch_year", [1970, 2000])
def test_the_clock_is_unset_until_set_and_drifts_from_there(epoch_year: int) -> None:
    world = World()
    time = NodeTime(world, epoch_year=epoch_year, drift_ppm=100)
    assert time.gmtime()[:3] == (epoch_year, 1, 1)
    time.set_unix_s(1_795_368_917)
    time.sleep_ms(10_000_000)
    assert time.unix_s() == 1_795_368_917 + 10_000 + 1
    assert time.gmtime()[0] == 2026
    assert time.mktime(time.gmtime()) == time.time()
    assert time.time() + (946_684_800 if epoch_year == 2000 else 0) == int(time.unix_s())
    ticks = time.ticks_ms()
    time.set_unix_s(1_000_000_000)
    assert time.ticks_ms() == ticks


def lives(interval_ms: int) -> list[tuple[int, str]]:
    world = World()
    seen: list[tuple[int, str]] = []

    def live(name: str, pause_ms: int) -> str:
        for _ in range(4):
            world.sleep_ms(pause_ms)
            seen.append((world.now_ms, name))
        return name

    spawned = [
        world.spawn(name, lambda n=name, p=p: live(n, p))
        for name, p in (("a", interval_ms), ("b", interval_ms), ("c", 25))
    ]
    world.sleep_ms(90)
    seen.append((world.now_ms, "main"))
    world.sleep_ms(1000)
    assert [life.result for life in spawned] == ["a", "b", "c"]
    world.close()
    return seen


def test_several_lives_share_one_time_and_run_in_its_order() -> None:
    seen = lives(30)
    assert [time_ms for time_ms, _ in seen] == sorted(time_ms for time_ms, _ in seen)
    assert seen[:3] == [(25, "c"), (30, "a"), (30, "b")]
    assert (90, "main") in seen
    assert seen == lives(30)


def test_what_a_life_dies_of_reaches_the_test_and_an_interrupt_reaches_the_life() -> None:
    world = World()
    caught: list[str] = []

    def fragile() -> None:
        try:
            world.sleep_ms(1000)
        except KeyError:
            caught.append("power")
        world.sleep_ms(100)
        raise ValueError("a defect")

    life = world.spawn("fragile", fragile)
    endless = world.spawn("endless", lambda: world.wait_until(None))
    world.after_ms(50, lambda: world.interrupt(KeyError(), life))
    with pytest.raises(ValueError, match="a defect"):
        world.sleep_ms(10_000)
    assert caught == ["power"]
    assert world.now_ms == 150
    world.close()
    assert endless.done


def test_an_interrupt_ends_the_wait_of_the_life_that_runs_the_events() -> None:
    """Whoever waits last runs what falls due, and may be the one whose power fails."""
    world = World()
    died_ms: list[int] = []

    def last_to_wait() -> None:
        try:
            world.sleep_ms(5000)
        except KeyError:
            died_ms.append(world.now_ms)

    world.spawn("first", lambda: world.sleep_ms(10_000))
    life = world.spawn("last", last_to_wait)
    world.after_ms(50, lambda: world.interrupt(KeyError(), life))
    world.after_ms(60, lambda: world.interrupt(KeyError("too late"), world.main))
    with pytest.raises(KeyError):
        world.sleep_ms(20_000)
    assert died_ms == [50]
    world.close()
