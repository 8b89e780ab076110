"""The node's clock is set by a time server, but not by one whose time cannot be right."""

import pytest

from fakes.clock import FakeTime
from firmware.clock import Clock
from firmware.net.time_sync import Timekeeper


class Server:
    """In place of lib/sntp.py: answers at once with what it is told."""

    def __init__(self, unix_s: int) -> None:
        self.unix_s = unix_s

    def start(self, host: str) -> None: ...
    def poll(self) -> int:
        return self.unix_s

    def close(self) -> None: ...


class Board:
    """Remembers to what its clock was set."""

    unix_s: int | None = None

    def hold_watchdog(self, limit_ms: int) -> None: ...
    def set_unix_s(self, unix_s: int) -> None:
        self.unix_s = unix_s


def timekeeper(server: Server, board: Board, lines: list[str]) -> Timekeeper:
    return Timekeeper(server, Clock(FakeTime()), board, "pool", 3600, lines.append)


@pytest.mark.parametrize("unix_s", [1767225600, 1795368917, 4102444799])
def test_a_time_that_can_be_right_sets_the_clock(unix_s: int) -> None:
    board, lines = Board(), []
    timekeeper(Server(unix_s), board, lines).step()
    assert board.unix_s == unix_s


@pytest.mark.parametrize(
    "unix_s",
    [-2208988800, 0, 5, 946684800, 1420070400, 1767225599, 4102444800, 1 << 33],
    ids=["1900", "1970", "1970+5", "2000", "2015", "2025's end", "2100", "2242"],
)
def test_a_time_that_cannot_be_right_is_refused_and_named(unix_s: int) -> None:
    board, lines = Board(), []
    keeper = timekeeper(Server(unix_s), board, lines)
    wait_ms = keeper.step()
    assert board.unix_s is None
    assert lines == [f"time: no answer from pool (wrong: {unix_s})"]
    assert wait_ms == 15000 and not keeper.is_asking(), "it is asked again, later"
