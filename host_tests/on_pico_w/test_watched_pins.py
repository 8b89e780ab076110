"""A rain gauge and a door on the genuine Pico W image: its interrupts count through a light sleep,
and end it when there is something to tell."""

from __future__ import annotations

import time

import pytest
from rigs.pico_w import Desk, board_files, configuration

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(90)]

_RAIN, _DOOR = 6, 7
_SENSORS = [
    {"type": "pulses", "pin": _RAIN, "field": "rain", "debounce_ms": 150},
    {
        "type": "digital",
        "pin": _DOOR,
        "pull": "up",
        "active_low": True,
        "field": "closed",
        "wake": True,
        "wake_pause_s": 2,
    },
]


def test_pulses_in_a_light_sleep_are_counted_and_a_door_ends_it() -> None:
    rhythm = {"sample_s": 60, "deliver_every": 6}
    config = configuration(mode="duty_cycle", sensors=_SENSORS, **rhythm)
    with Desk(board_files(config)) as desk:
        desk.board.set_pace(True)
        desk.wait(lambda: (1, 0) in desk.account.delivered, 30, "the first reading")
        desk.console.wait_for("asleep for", 10)
        for _ in range(7):
            # A contact that bounces for a moment.
            for level in (0, 1, 0):
                desk.board.drive_pin(_RAIN, level)
            pass_by_its_clock(desk, 50)
            desk.board.drive_pin(_RAIN, 1)
            pass_by_its_clock(desk, 350)
        assert len(desk.account.delivered) == 1, "a pulse is no reason to wake"
        desk.board.drive_pin(_DOOR, 0)
        # Not at the end of the minute.
        desk.wait(lambda: (1, 1) in desk.account.delivered, 20, "the door, at once")
        desk.board.drive_pin(_DOOR, 1)
        desk.wait(lambda: (1, 2) in desk.account.delivered, 25, "the door, after its pause")
        first, shut, opened = (desk.account.delivered[1, seq] for seq in range(3))
        assert (first["rain"], shut["rain"], opened["rain"]) == (0, 7, 0)
        assert (first["closed"], shut["closed"], opened["closed"]) == (0, 1, 0)


def pass_by_its_clock(desk: Desk, ms: float) -> None:
    """Wait while the board's own clock goes on by that. On a busy machine it is behind ours, and
    what bounces, and for how long, is by the board's."""
    end_ms = desk.board.stats()["board_ms"] + ms
    while desk.board.stats()["board_ms"] < end_ms:
        time.sleep(0.01)
