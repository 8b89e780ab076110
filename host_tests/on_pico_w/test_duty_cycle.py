"""Ten duty cycles on the genuine Pico W image: it wakes, measures, delivers in batches, sleeps.

The emulator's light sleep returns at once, as that of some real versions does; the firmware
notices, and sleeps the rest another way.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from rigs.pico_w import Desk, board_files, configuration

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(90)]

_SAMPLE_S = 10
_BATCH = 5
_CYCLES = 10
# What waking up and reading the sensors may take, on a slow machine.
_SLACK_S = 0.5
_WAKE_S = 0.3


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    rhythm = {"sample_s": _SAMPLE_S, "deliver_every": _BATCH, "health_s": 10}
    config = configuration(mode="duty_cycle", **rhythm)
    with Desk(board_files(config)) as desk:
        desk.wait(lambda: (1, _CYCLES) in desk.account.delivered, 80, "ten cycles")
        desk.console.wait_for("asleep for", 10, len(desk.console.lines) - 1)
        yield desk


def _times(desk: Desk, what: str) -> list[float]:
    found = (re.match(rf"\s*([\d.]+) {what}", line) for line in desk.console.lines)
    return [float(match[1]) for match in found if match]


def test_ten_duty_cycles_deliver_all_in_batches_of_two_segments(desk: Desk) -> None:
    wanted = {(1, seq) for seq in range(_CYCLES + 1)}
    assert wanted <= desk.account.delivered.keys() and desk.account.out_of_order == 0
    connections = [one["sent"] for one in desk.board.stats()["connections"]]
    # The first reading at once, then in batches; each wake is CONNECT with all that waits, and
    # a farewell.
    assert len(connections) >= 3
    assert all(sent["data_segments"] <= 3 and not sent["repeated"] for sent in connections)
    assert set(desk.status) == {"asleep"}  # the will, 'offline', was never published


def test_samples_stay_on_their_grid_though_light_sleep_returns_at_once(desk: Desk) -> None:
    taken = _times(desk, "sample")
    gaps = [later - earlier for earlier, later in itertools.pairwise(taken)]
    assert len(gaps) >= _CYCLES
    # The second reading is where the node's name has put its grid.
    first, *rest = gaps
    assert 0 < first < _SAMPLE_S + _SLACK_S, gaps
    assert all(abs(gap - _SAMPLE_S) < _SLACK_S for gap in rest), gaps


def test_sleeps_that_ended_early_are_counted_in_health(desk: Desk) -> None:
    # The last report came with the last batch. Every sleep ends early here, and is tried again
    # after each second.
    assert desk.health["short_sleeps"] >= (_CYCLES - 1) * (_SAMPLE_S - 1)


def test_a_wake_that_delivers_nothing_leaves_the_radio_off(desk: Desk) -> None:
    taken, asleep = _times(desk, "sample"), _times(desk, "asleep")
    delivered = _times(desk, "delivered")
    wakes = list(zip(taken, asleep, strict=False))
    delivers = [any(start <= at <= end for at in delivered) for start, end in wakes]
    # The second batch is short, as the node's name tells; then each has its five.
    batches = [seq for seq, does in enumerate(delivers) if does]
    assert batches[0] == 0 and batches[1] <= _BATCH, batches
    assert all(later - earlier == _BATCH for earlier, later in itertools.pairwise(batches[1:]))
    awake = [end - start for start, end in wakes]
    in_batch = [duration for duration, does in zip(awake, delivers, strict=True) if not does]
    # Starting the radio's chip alone takes 0.4 s.
    assert len(in_batch) >= 6 and max(in_batch) < _WAKE_S, awake
