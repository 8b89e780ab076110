"""A fleet that begins in one moment, with one interval, does not deliver in one second."""

from __future__ import annotations

from binascii import crc32
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.field import Field, ports

from firmware.duty_cycle.grid import Grid
from firmware.readings.sampler import Sampler

NODES, SAMPLE_S = 1000, 60
NAMES = [f"greenhouse-{number}" for number in range(NODES)]


class _Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def uptime_ms(self) -> int:
        return self.now_ms

    def unix_s(self) -> None:
        return None


class _Outbox:
    """Notes when a reading came, which an `always_on` node delivers at once."""

    depth = boot = seq = 0

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self.times_ms: list[int] = []

    def put(self, _record: bytes) -> bool:
        self.times_ms.append(self._clock.now_ms)
        return True

    def next_seq(self) -> int:
        return 1


_SENSORS = SimpleNamespace(
    errors={}, start=lambda _: 0, again=lambda: 0, collect=lambda: ([("x", 1)], [])
)


def _sampler(name: str, clock: _Clock, outbox: Any = None) -> Sampler:
    phase = crc32(name.encode())
    return Sampler(_SENSORS, outbox, outbox, clock, SAMPLE_S * 1000, lambda _: None, phase)


def _awake(name: str, duration_s: int) -> list[int]:
    clock = _Clock()
    outbox = _Outbox(clock)
    sampler = _sampler(name, clock, outbox)
    while clock.now_ms < duration_s * 1000:
        clock.now_ms += max(sampler.step(), 1)
    return outbox.times_ms


def _asleep(name: str, deliver_every: int, duration_s: int, away_s: range = range(0)) -> list[int]:
    """When a sleeper delivers, as firmware/duty_cycle/cycle.py plans it; `away_s`: in vain."""
    clock = _Clock()
    sampler = _sampler(name, clock)
    grid = Grid(SAMPLE_S * 1000, deliver_every, 300_000, sampler.next_ms)
    waiting, delivered_ms = 0, []
    while clock.now_ms < duration_s * 1000:
        grid.begin(False, 1)
        now_ms = clock.now_ms
        if (grid.is_complete(waiting) or not now_ms) and grid.may_try(now_ms):
            if now_ms // 1000 in away_s:
                grid.not_delivered(now_ms)
                waiting += 1
            else:
                grid.delivered(grid.next_lead(sampler.phase, not delivered_ms))
                delivered_ms.append(now_ms)
                waiting = 0
        else:
            waiting += 1
        clock.now_ms += grid.end(now_ms)
    return delivered_ms


def _check_even(times_ms: list[int], start_s: int, period_s: int) -> None:
    """In each second of a period so many come as dice would have it, and no more."""
    seconds = Counter(
        one // 1000 - start_s for one in times_ms if start_s <= one / 1000 < start_s + period_s
    )
    assert sum(seconds.values()) == NODES
    mean = NODES / period_s
    assert max(seconds.values()) <= mean + 5 * mean**0.5 + 1
    for part in range(6):
        share = sum(
            seconds[one] for one in range(part * period_s // 6, (part + 1) * period_s // 6)
        )
        assert 0.7 * NODES / 6 < share < 1.3 * NODES / 6


def test_nodes_that_are_always_on_deliver_evenly_over_their_interval() -> None:
    fleet = [_awake(name, 600) for name in NAMES]
    _check_even([one for times_ms in fleet for one in times_ms], 300, SAMPLE_S)
    for times_ms in fleet:
        first, second, *others = times_ms
        assert first == 0 and 2000 <= second <= SAMPLE_S * 1000
        gaps_ms = [after - before for before, after in pairwise([second, *others])]
        assert set(gaps_ms) == {SAMPLE_S * 1000}, "readings keep their own grid"


@pytest.mark.parametrize("deliver_every", [1, 10])
def test_nodes_that_sleep_deliver_evenly_over_the_time_of_a_batch(deliver_every: int) -> None:
    period_s = deliver_every * SAMPLE_S
    fleet = [_asleep(name, deliver_every, 4 * period_s) for name in NAMES]
    assert all(times_ms[0] == 0 for times_ms in fleet), "the first reading is seen at once"
    _check_even([one for times_ms in fleet for one in times_ms], 2 * period_s, period_s)


def test_batches_lie_apart_again_after_an_outage_that_all_have_seen() -> None:
    fleet = [_asleep(name, 10, 7200, range(1800, 3600)) for name in NAMES]
    _check_even([one for times_ms in fleet for one in times_ms], 5400, 600)


@ports
@pytest.mark.parametrize(("name", "mode"), [("bed-1", "always_on"), ("bed-7", "duty_cycle")])
def test_a_whole_node_has_the_phase_of_its_name(name: str, mode: str, port: str) -> None:
    field = Field(port, [{"type": "internal"}], hours=2.0, mode=mode, node=name)
    field.run.play()
    times = field.times()
    ahead_s = (300 - 2) * crc32(name.encode()) / 2**32
    assert times[0] < 10
    for number, at in enumerate(times[1:], 1):
        assert abs(at - (times[0] + number * 300 - ahead_s)) < 3
    assert [one["seq"] for one in field.readings] == list(range(len(times)))


@ports
def test_a_whole_nodes_first_batch_is_short_by_its_phase(port: str) -> None:
    name = "bed-7"
    field = Field(port, [{"type": "internal"}], hours=6.0, node=name, deliver_every=8)
    field.run.play()
    batches = Counter(round(one["at"] / 30) for one in field.readings)
    lead = crc32(name.encode()) % 8
    assert lead
    assert list(batches.values())[:4] == [1, 8 - lead, 8, 8]
