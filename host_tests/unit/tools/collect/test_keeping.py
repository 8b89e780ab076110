"""A collector removes what is old, and nothing while its clock is not to be trusted."""

from __future__ import annotations

from pathlib import Path

from rigs.stores import NOW_S, open_on, rows, telemetry

from fieldpost.collect.keeping import Keeping

_DAY_S = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW_S
        self.elapsed = 0.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.elapsed += seconds


def test_what_is_old_goes_at_its_hour_and_not_before(tmp_path: Path) -> None:
    clock, told = Clock(), []
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, seq, received=NOW_S - seq * _DAY_S) for seq in range(6)])
        keeping = Keeping(
            store.engine,
            3.5 * _DAY_S,
            told.append,
            now=lambda: clock.now,
            elapsed=lambda: clock.elapsed,
        )
        keeping()
        assert rows(store, "SELECT count(*) FROM readings") == [(6,)]
        clock.pass_(100)
        keeping()
        keeping()
        assert rows(store, "SELECT count(*) FROM readings") == [(4,)]
        assert told == ["2 readings and 0 other rows were removed for their age"]
        clock.pass_(_DAY_S)
        keeping()
        assert rows(store, "SELECT count(*) FROM readings") == [(3,)]


def test_a_clock_that_was_set_makes_nothing_old(tmp_path: Path) -> None:
    clock, told = Clock(), []
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, 0, received=NOW_S)])
        keeping = Keeping(
            store.engine, _DAY_S, told.append, now=lambda: clock.now, elapsed=lambda: clock.elapsed
        )
        clock.now += 30 * 365 * _DAY_S
        for _ in range(3):
            clock.pass_(4000)
            keeping()
        assert rows(store, "SELECT count(*) FROM readings") == [(1,)]
        assert len(told) == 1 and "the clock was set" in told[0]


def test_a_store_that_is_away_is_told_and_tried_later(tmp_path: Path) -> None:
    clock, told = Clock(), []
    for store in open_on("sqlite", tmp_path):
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE readings")
        keeping = Keeping(
            store.engine, _DAY_S, told.append, now=lambda: clock.now, elapsed=lambda: clock.elapsed
        )
        clock.pass_(100)
        keeping()
        keeping()
        assert len(told) == 1 and "can't be removed now" in told[0]
