"""An ESP32 in deep sleep: each pulse is counted, and only what is to be told of ends the sleep."""

import random
from typing import Any

import pytest

from fakes.machine import WAKE_UNITS, Chip, Reset, load_board
from firmware import app, crash
from firmware.clock import Clock
from firmware.duty_cycle import rtc_memory, wake_stub

_RAIN, _DOOR = 4, 13
_BOOT_MS = 400  # what an image takes to its main.py
_INTERVAL_MS = 300_000
_RECORDS = [b"a reading", b"another"]


class Sleeper:
    """A board that has fallen asleep after a reading, and what becomes of it."""

    def __init__(
        self, model: str = "ESP32", pins: Any = None, records: Any = (), refused: bool = False
    ) -> None:
        self.chip = Chip(model)
        self.records = list(records)
        self.boots = 0
        board = load_board(self.chip)
        clock = Clock(board.time, True)
        now_ms = clock.rtc_ms()
        self.began_ms = self.chip.time.elapsed_ms
        self.state: dict[str, Any] = {"boot": 1, "uptime": 60_000, "rtc": now_ms}
        self.state["next"] = self.state["until"] = now_ms + _INTERVAL_MS
        self.state["interval"] = _INTERVAL_MS
        sleep_ms = _INTERVAL_MS
        if pins:
            for one in pins:
                board.pin(one[0], "in", one[1])
            self.state["pins"], self.state["woken"] = pins, [0, 0, 0]
            try:
                sleep_ms = min(sleep_ms, wake_stub.arm(board, self.state, now_ms))
            except ValueError:
                if not refused:
                    raise
            self.state["until"] = now_ms + sleep_ms
        board.retain(rtc_memory.pack(self.state, self.records, board.retained_bytes))
        self._asleep = lambda: board.deep_sleep(sleep_ms)

    def wakes(self) -> int:
        """Boot as often as it sleeps on; milliseconds from the start to the wake in full."""
        with pytest.raises(Reset):
            self._asleep()
        while True:
            self.boots += 1
            assert self.boots < 500
            self.chip.time.sleep_ms(_BOOT_MS)
            board = load_board(self.chip)
            try:
                self.state, records, _ = rtc_memory.recall(board, Clock(board.time, True))
            except Reset:
                continue
            assert records == self.records
            assert not self.chip.network.is_active
            return self.chip.time.elapsed_ms - self.began_ms

    @property
    def count(self) -> int:
        return self.state["pins"][0][4]


def rain() -> list[Any]:
    return [_RAIN, "up", 1, 10, 0, 0, 0]


def door(pull: str = "up", ready_ms: int = 0) -> list[Any]:
    return [_DOOR, pull, 1, 50, None, ready_ms, 0]


def test_each_tip_of_a_rain_gauge_is_counted_and_the_grid_is_kept() -> None:
    sleeper = Sleeper(pins=[rain()], records=_RECORDS)
    for tip in range(12):
        at_ms = 5_000 + tip * 20_000
        sleeper.chip.drive(_RAIN, (at_ms, 0), (at_ms + 80, 1))
    took_ms = sleeper.wakes()
    assert sleeper.count == 12
    assert sleeper.boots == 13
    assert abs(took_ms - _INTERVAL_MS) <= 1500
    assert sleeper.state["woken"] == [12, 12, 0]
    assert not sleeper.state["input"]


def test_bounce_on_closing_and_opening_is_one_pulse() -> None:
    sleeper = Sleeper(pins=[rain()])
    source = random.Random(4)
    for edge_ms, level in ((10_000, 0), (11_500, 1)):
        at_ms = edge_ms
        for _ in range(6):
            sleeper.chip.drive(_RAIN, (at_ms, level), (at_ms + 1, 1 - level))
            at_ms += source.randrange(2, 4)
        sleeper.chip.drive(_RAIN, (at_ms, level))
    sleeper.wakes()
    assert sleeper.count == 1


def test_a_contact_that_opens_while_the_board_looks_costs_no_second_wake() -> None:
    sleeper = Sleeper(pins=[rain()])
    sleeper.chip.drive(_RAIN, (20_000, 0), (20_000 + _BOOT_MS + 150, 1))
    sleeper.wakes()
    assert (sleeper.count, sleeper.boots) == (1, 2)


def test_a_contact_that_stays_closed_wakes_the_board_once_and_not_in_a_loop() -> None:
    sleeper = Sleeper(pins=[rain()])
    sleeper.chip.drive(_RAIN, (20_000, 0))
    took_ms = sleeper.wakes()
    assert (sleeper.count, sleeper.boots) == (1, 2)
    assert abs(took_ms - _INTERVAL_MS) <= 1500
    assert sleeper.state["pins"][0][2] == 0


def test_a_contact_that_opens_late_is_waited_for_and_the_next_pulse_counts() -> None:
    sleeper = Sleeper(pins=[rain()])
    sleeper.chip.drive(_RAIN, (20_000, 0), (60_000, 1), (90_000, 0), (90_100, 1))
    sleeper.wakes()
    assert (sleeper.count, sleeper.boots) == (2, 4)


def test_a_pin_that_flaps_is_given_up_until_the_next_reading_and_that_is_counted() -> None:
    sleeper = Sleeper(pins=[rain()])
    sleeper.chip.drive(_RAIN, *((at, (at // 700) % 2) for at in range(0, 290_000, 700)))
    took_ms = sleeper.wakes()
    limit = _INTERVAL_MS // 4000
    assert sleeper.boots == limit + 1
    assert sleeper.state["woken"][1:] == [limit, 1]
    assert abs(took_ms - _INTERVAL_MS) <= 1500


def test_a_pin_that_was_given_up_is_counted_once_however_often_the_board_looks() -> None:
    """Another pin, in its pause, has it looking again."""
    pins = [rain(), door()]
    sleeper = Sleeper(pins=pins)
    board = load_board(sleeper.chip)
    counts = sleeper.state["woken"]
    counts[0] = _INTERVAL_MS // 4000 - 1
    wake_stub.arm(board, sleeper.state, 0)
    assert counts[2] == 0
    counts[0] += 1
    for _ in range(3):
        wake_stub.arm(board, sleeper.state, 0)
    assert counts[2] == 1


def test_a_change_of_an_input_ends_the_sleep_at_once() -> None:
    sleeper = Sleeper(pins=[rain(), door()])
    sleeper.chip.drive(_RAIN, (3000, 0), (3050, 1))
    sleeper.chip.drive(_DOOR, (50_000, 0))
    took_ms = sleeper.wakes()
    assert 50_000 <= took_ms < 50_000 + 2 * _BOOT_MS
    assert sleeper.state["input"] and sleeper.count == 1


def test_an_input_that_came_and_went_while_the_board_started_is_told_of() -> None:
    sleeper = Sleeper(pins=[door()])
    sleeper.chip.drive(_DOOR, (50_000, 0), (50_100, 1))
    assert sleeper.wakes() < 51_000
    assert sleeper.state["input"] and sleeper.state["pins"][0][6] == 1


def test_an_input_in_its_pause_does_not_wake_and_is_told_of_when_that_is_over() -> None:
    sleeper = Sleeper(pins=[door()])
    ready_ms = sleeper.state["rtc"] + 60_000
    sleeper = Sleeper(pins=[door(ready_ms=ready_ms)])
    sleeper.chip.drive(
        _DOOR, *((at, at // 1000 % 2) for at in range(1000, 40_000, 1000)), (41_000, 0)
    )
    took_ms = sleeper.wakes()
    assert 60_000 <= took_ms < 62_000
    assert sleeper.boots == 1 and sleeper.state["input"]


def test_after_a_pause_without_a_change_the_board_minds_the_pin_again() -> None:
    sleeper = Sleeper(pins=[door(ready_ms=Sleeper().state["rtc"] + 60_000)])
    sleeper.chip.drive(_DOOR, (100_000, 0))
    assert 100_000 <= sleeper.wakes() < 101_000
    assert sleeper.boots == 2


@pytest.mark.parametrize("model", sorted(WAKE_UNITS))
def test_every_chip_wakes_by_its_own_unit_at_either_level(model: str) -> None:
    for level in (0, 1):
        pin = [4, "up", level, 10, None, 0, 0]
        sleeper = Sleeper(model, [pin])
        sleeper.chip.drive(4, (0, level), (7000, 1 - level))
        assert sleeper.wakes() < 8000, level


def test_a_pin_that_cannot_wake_the_board_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"pin 5 cannot wake this board \(invalid pin"):
        Sleeper(pins=[[5, "up", 1, 10, 0, 0, 0]])
    with pytest.raises(ValueError, match="pin 1 cannot wake this board"):
        Sleeper("ESP32C3", [[0, "up", 1, 10, 0, 0, 0], [1, "up", 1, 10, 0, 0, 0]])


def test_before_micropython_1_27_a_c3_is_not_taken_to_wake_though_the_port_takes_its_pin() -> None:
    """Seen on a genuine image of 1.24: esp32.wake_on_ext1 is there, and nothing comes of it."""
    chip = Chip("ESP32C3")
    chip.is_before_1_27 = True
    waker = load_board(chip).waker()
    with pytest.raises(ValueError, match="pin 4 cannot wake this board"):
        waker.arm([(4, 1)])
    assert not chip.armed


def test_a_refused_pin_neither_stops_the_board_nor_the_count_of_the_one_before_it() -> None:
    sleeper = Sleeper("ESP32C3", [rain(), [1, "up", 1, 10, 0, 0, 0]], refused=True)
    for at_ms in (20_000, 40_000, 60_000):
        sleeper.chip.drive(_RAIN, (at_ms, 0), (at_ms + 80, 1))
    took_ms = sleeper.wakes()
    assert sleeper.count == 3
    assert abs(took_ms - _INTERVAL_MS) <= 1500


def test_a_wake_that_fails_is_a_crash_that_is_kept_and_ends_in_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleeper = Sleeper(pins=[rain()])
    board = load_board(sleeper.chip)
    kept = []
    monkeypatch.setattr("firmware.board.Board", lambda: board)
    monkeypatch.setattr(crash, "keep", lambda text, _files: kept.append(text) or 0)
    monkeypatch.setattr(rtc_memory, "unpack", lambda _: {}["a bug"])
    with pytest.raises(Reset):
        app.run()
    assert "a bug" in kept[0]


def test_a_deep_sleep_that_ends_early_goes_on_and_is_counted() -> None:
    sleeper = Sleeper(records=_RECORDS)
    sleeper.chip.sleep_stops = [0, 1000]
    took_ms = sleeper.wakes()
    assert abs(took_ms - _INTERVAL_MS) <= 1500
    assert sleeper.boots == 3
    assert sleeper.state["short"] == 2


def test_deep_sleep_that_returns_at_once_is_slept_out_in_a_light_sleep() -> None:
    sleeper = Sleeper()
    sleeper.chip.sleep_stops = [0] * 4
    took_ms = sleeper.wakes()
    assert abs(took_ms - _INTERVAL_MS) <= 1500
    assert (sleeper.boots, sleeper.state["short"]) == (4, 4)


def test_a_timer_that_is_a_little_fast_is_no_short_sleep() -> None:
    sleeper = Sleeper()
    sleeper.chip.sleep_stops = [_INTERVAL_MS - 10_000]
    sleeper.wakes()
    assert sleeper.boots == 1 and "short" not in sleeper.state


def test_a_power_cut_in_sleep_is_a_cold_start() -> None:
    sleeper = Sleeper(pins=[rain()])
    sleeper.chip.power_on()
    board = load_board(sleeper.chip)
    assert rtc_memory.recall(board, Clock(board.time)) == ({}, [], 0)
