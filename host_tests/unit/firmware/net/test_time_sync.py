"""The node's clock is set by a time server, but not by one whose time cannot be right."""

from __future__ import annotations

import pytest

from fakes.clock import FakeTime
from firmware.clock import Clock
from firmware.net.time_sync import Timekeeper

UNIX_S = 1_795_368_917


class Server:
    """In place of lib/sntp.py: answers with what it is told; None: not yet."""

    def __init__(self, unix_s: int | None = UNIX_S) -> None:
        self.unix_s = unix_s
        self.error: OSError | None = None
        self.asked = self.closed = 0

    def start(self, host: str) -> None:
        self.asked += 1
        if self.error:
            raise self.error

    def poll(self) -> int | None:
        return self.unix_s

    def close(self) -> None:
        self.closed += 1


class Board:
    """Sets a clock, and remembers to what, and for how long its watchdog was held."""

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.unix_s: int | None = None
        self.held_ms: list[int] = []

    def hold_watchdog(self, limit_ms: int) -> None:
        self.held_ms.append(limit_ms)

    def set_unix_s(self, unix_s: int) -> None:
        self.unix_s = unix_s
        self.time.set_unix_s(unix_s)


class Bench:
    def __init__(self, unix_s: int | None = UNIX_S, host: str | None = "pool") -> None:
        self.time = FakeTime()
        self.server, self.board = Server(unix_s), Board(self.time)
        self.lines: list[str] = []
        clock = Clock(self.time)
        self.keeper = Timekeeper(
            lambda: self.server, clock, self.board, host, 3600, self.lines.append
        )

    def step_later(self, wait_ms: float) -> int:
        self.time.advance_ms(wait_ms)
        return self.keeper.step()


@pytest.mark.parametrize("unix_s", [1767225600, 1795368917, 4102444799])
def test_a_time_that_can_be_right_sets_the_clock(unix_s: int) -> None:
    bench = Bench(unix_s)
    assert bench.keeper.step() == 3_600_000
    assert bench.board.unix_s == unix_s


@pytest.mark.parametrize(
    "unix_s",
    [-2208988800, 0, 5, 946684800, 1420070400, 1767225599, 4102444800, 1 << 33],
    ids=["1900", "1970", "1970+5", "2000", "2015", "2025's end", "2100", "2242"],
)
def test_a_time_that_cannot_be_right_is_refused_and_named(unix_s: int) -> None:
    bench = Bench(unix_s)
    wait_ms = bench.keeper.step()
    assert bench.board.unix_s is None
    assert bench.lines == [f"time: no answer from pool (wrong: {unix_s})"]
    assert wait_ms == 15000 and not bench.keeper.is_asking(), "it is asked again, later"


def test_a_server_that_does_not_answer_is_asked_ever_more_seldom_down_to_each_quarter_hour() -> (
    None
):
    bench = Bench()
    bench.server.error = OSError(-2)
    waits_ms = [bench.keeper.step()]
    while len(waits_ms) < 9:
        assert bench.step_later(waits_ms[-1] - 1) == 1, "not before its time"
        waits_ms.append(bench.step_later(1))
    assert waits_ms == [15_000 << n for n in range(6)] + [900_000] * 3
    bench.server.error = None
    assert bench.step_later(900_000) == 3_600_000
    bench.server.error = OSError(-2)
    assert bench.step_later(3_600_000) == 15_000, "a failure after an answer is a first one"


def test_the_watchdog_is_held_while_a_name_is_looked_up_and_no_longer() -> None:
    bench = Bench(None)
    assert bench.keeper.step() == 100
    assert bench.board.held_ms == [30_000, 0]
    assert bench.step_later(100) == 100
    assert (bench.server.asked, bench.board.held_ms) == (1, [30_000, 0]), "one question"
    bench = Bench()
    bench.server.error = OSError(-2)
    bench.keeper.step()
    assert bench.board.held_ms == [30_000, 0], "nor after a look-up that failed"


def test_it_is_asking_from_when_the_question_is_due_until_it_is_answered() -> None:
    bench = Bench(None)
    assert bench.keeper.is_asking()
    bench.keeper.step()
    assert bench.keeper.is_asking()
    bench.server.unix_s = UNIX_S
    bench.step_later(100)
    assert not bench.keeper.is_asking()
    bench.time.advance_ms(3_600_000 - 1)
    assert not bench.keeper.is_asking()
    bench.time.advance_ms(1)
    assert bench.keeper.is_asking()


def test_without_a_server_nothing_is_asked() -> None:
    bench = Bench(host=None)
    assert bench.keeper.step() == 3_600_000
    assert not bench.keeper.is_asking()
    assert bench.server.asked == 0


def test_by_how_much_the_clock_was_moved_is_added_up() -> None:
    bench = Bench()
    before_s = bench.time.unix_s()
    bench.keeper.step()
    assert bench.keeper.stepped_ms == (UNIX_S - before_s) * 1000
    bench.server.unix_s = UNIX_S + 3600 - 7
    bench.step_later(3_600_000)
    assert bench.keeper.stepped_ms == (UNIX_S - before_s) * 1000 - 7000


def test_a_question_that_is_open_when_the_radio_goes_off_had_no_answer() -> None:
    bench = Bench(None)
    bench.keeper.give_up()
    assert (bench.server.closed, bench.lines) == (0, []), "nothing was asked"
    bench.keeper.step()
    bench.keeper.give_up()
    assert bench.server.closed == 1
    assert bench.lines == ["time: no answer from pool (in time)"]
    assert not bench.keeper.is_asking()
    bench.keeper.give_up()
    assert bench.server.closed == 1
