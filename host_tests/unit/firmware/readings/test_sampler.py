"""A sensor is never read before it has had the time it asked for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from firmware.readings.record import payload
from firmware.readings.sampler import Sampler


class Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def uptime_ms(self) -> int:
        return self.now_ms

    def unix_s(self) -> None:
        return None


class Slow:
    """Sensors that take 3 ms to start, measure for 10 ms, and measure twice for a reading."""

    errors: dict[str, str] = {}

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._to_go = 2
        self.started_ms: list[int] = []
        self.read_ms: list[int] = []

    def start(self, _seq: int) -> int:
        self._clock.now_ms += 3
        self.started_ms.append(self._clock.now_ms)
        return 10

    def again(self) -> int:
        self.read_ms.append(self._clock.now_ms)
        self._to_go -= 1
        return self.start(0) if self._to_go else 0

    def collect(self) -> tuple[list[Any], list[Any]]:
        return [], []


class Part:
    """An outbox and an identity."""

    boot = seq = depth = 0

    def put(self, _record: bytes) -> bool:
        return False


def test_the_wait_begins_when_the_start_is_over_and_lasts_a_tick_more() -> None:
    clock = Clock()
    sensors = Slow(clock)
    sampler = Sampler(sensors, Part(), Part(), clock, 60000, lambda _: None)
    for _ in range(40):
        clock.now_ms += min(sampler.step(), 1)
    # Ticks are cut to whole milliseconds: of eleven, more than ten have passed.
    waits = [read - start for start, read in zip(sensors.started_ms, sensors.read_ms, strict=True)]
    assert waits == [11, 11]


class Kept(Part):
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def put(self, record: bytes) -> bool:
        self.records.append(record)
        return True

    def next_seq(self) -> int:
        return 0


def test_a_drivers_name_for_a_field_cannot_spoil_the_reading() -> None:
    names = ['he said "no"', "back\\slash", "new\nline", "grad_°"]
    sensors = SimpleNamespace(
        errors={},
        start=lambda _seq: 0,
        again=lambda: 0,
        collect=lambda: ([(name, 1) for name in names], []),
    )
    kept = Kept()
    Sampler(sensors, kept, kept, Clock(), 60000, lambda *_: None).step()
    reading = json.loads(payload(kept.records[0], 0, 0, None))
    assert [reading[name] for name in names] == [1, 1, 1, 1]


class Counted(Kept):
    """One whose readings are numbered."""

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq - 1


def test_the_first_reading_of_a_boot_is_told_whole_and_no_other() -> None:
    told: list[str] = []
    fields = [[("temperature", 21.5)], [("temperature", 22.0)]]
    sensors = SimpleNamespace(
        errors={},
        start=lambda _seq: 0,
        again=lambda: 0,
        collect=lambda: (fields.pop(0), [("soil", "no answer")]),
    )
    kept, clock = Counted(), Clock()
    sampler = Sampler(sensors, kept, kept, clock, 60000, told.append)
    sampler.step()
    clock.now_ms += 60000
    sampler.step()
    assert len(kept.records) == 2
    said = [line for line in told if line.startswith("first reading: ")]
    assert [json.loads(line[15:]) for line in said] == [{"temperature": 21.5, "failed": ["soil"]}]


def test_how_much_waits_is_told_when_it_is_more_than_the_reading_itself() -> None:
    told: list[str] = []
    sensors = SimpleNamespace(
        errors={}, start=lambda _seq: 0, again=lambda: 0, collect=lambda: ([], [])
    )
    kept, clock = Counted(), Clock()
    kept.seq = 5
    sampler = Sampler(sensors, kept, kept, clock, 60000, told.append)
    for kept.depth in (0, 1, 2, 30):
        sampler.step()
        clock.now_ms += 60000
    assert told == [
        "sample 5 stored",
        "sample 6 stored",
        "sample 7 stored, 2 waiting",
        "sample 8 stored, 30 waiting",
    ]


def test_a_new_interval_begins_when_it_is_set() -> None:
    clock = Clock()
    sensors = SimpleNamespace(
        errors={}, start=lambda _seq: 0, again=lambda: 0, collect=lambda: ([], [])
    )
    sampler = Sampler(sensors, Counted(), Counted(), clock, 60000, lambda _: None)
    assert sampler.step() == 60000
    clock.now_ms += 20000
    sampler.set_interval(5000)
    assert (sampler.interval_ms, sampler.step(), sampler.taken) == (5000, 5000, 1)
    clock.now_ms += 5000
    assert (sampler.step(), sampler.taken) == (5000, 2)


def test_the_fields_are_those_of_the_last_reading_that_had_as_many() -> None:
    readings: list[list[Any]] = [[("a", 1)], [("b", 1)], [], [("b", 1), ("c", 1)], [("d", 1)]]
    sensors = SimpleNamespace(
        errors={}, start=lambda _seq: 0, again=lambda: 0, collect=lambda: (readings.pop(0), [])
    )
    clock, seen = Clock(), []
    sampler = Sampler(sensors, Counted(), Counted(), clock, 1000, lambda _: None)
    while readings:
        sampler.step()
        seen.append(list(sampler.fields))
        clock.now_ms += 1000
    assert seen == [["a"], ["b"], ["b"], ["b", "c"], ["b", "c"]]


def test_points_of_the_grid_that_a_busy_node_missed_are_counted() -> None:
    clock = Clock()
    sensors = SimpleNamespace(
        errors={}, start=lambda _seq: 0, again=lambda: 0, collect=lambda: ([], [])
    )
    sampler = Sampler(sensors, Counted(), Counted(), clock, 1000, lambda _: None)
    sampler.step()
    clock.now_ms += 4500
    assert (sampler.step(), sampler.late) == (500, 3)
    clock.now_ms += 500
    assert (sampler.step(), sampler.late) == (1000, 3)


def test_a_reading_that_takes_longer_than_the_interval_is_followed_at_once() -> None:
    clock = Clock()

    def collect() -> tuple[list[Any], list[Any]]:
        clock.now_ms += 1500
        return [], []

    sensors = SimpleNamespace(errors={}, start=lambda _seq: 0, again=lambda: 0, collect=collect)
    sampler = Sampler(sensors, Counted(), Counted(), clock, 1000, lambda _: None)
    assert sampler.step() == 0
