"""A curve says what is in the store: each reading once, or what many come to."""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from rigs.serving import Parts
from rigs.stores import telemetry

from fieldpost.serve.curve import curve, extent, gaps, is_field

BEGIN = 1_795_800_000


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def test_few_readings_are_given_one_by_one_by_the_time_at_which_they_were_taken(
    parts: Parts,
) -> None:
    order = [3, 0, 2, 1]
    parts.write(
        [
            telemetry(1, seq, ts=BEGIN + seq * 10, received=BEGIN + 100, t=seq * 1.5)
            for seq in order
        ]
    )
    got = curve(parts.engine, "n", "t", BEGIN, BEGIN + 30, 100, late_s=75)
    assert got["is_single"] and got["count"] == 4
    assert got["t"] == [BEGIN, BEGIN + 10, BEGIN + 20, BEGIN + 30]
    assert got["value"] == [0.0, 1.5, 3.0, 4.5]
    assert got["key"] == [[1, 0], [1, 1], [1, 2], [1, 3]]
    assert got["late"] == [1, 1, 1, 0] and got["guessed"] == [0, 0, 0, 0]


def test_many_are_given_as_mean_least_and_most_and_none_is_left_out(parts: Parts) -> None:
    rng = random.Random(3)
    values = [rng.uniform(-50, 50) for _ in range(5000)]
    parts.write(
        [
            telemetry(1, seq, ts=BEGIN + seq, received=BEGIN + seq, t=one)
            for seq, one in enumerate(values)
        ]
    )
    got = curve(parts.engine, "n", "t", BEGIN, BEGIN + 5000, 100, late_s=5)
    assert not got["is_single"] and got["count"] == 5000 and len(got["t"]) == 100
    assert sum(got["readings"]) == 5000
    assert min(got["low"]) == min(values) and max(got["high"]) == max(values)
    assert got["value"][7] == pytest.approx(statistics.fmean(values[350:400]))
    assert got["t"] == sorted(got["t"])
    # The same from a part of them, for which SQLite takes another way.
    part = curve(parts.engine, "n", "t", BEGIN + 1000, BEGIN + 2199, 100, late_s=5)
    assert sum(part["readings"]) == 1200 and min(part["low"]) == min(values[1000:2200])


def test_readings_without_a_time_stand_where_their_age_puts_them(parts: Parts) -> None:
    parts.write(
        [
            telemetry(1, 0, age_s=60, received=BEGIN + 100.0, t=1.0),
            telemetry(1, 1, ts=BEGIN + 70, received=BEGIN + 70, t=2.0),
        ]
    )
    got = curve(parts.engine, "n", "t", BEGIN, BEGIN + 90, 100, late_s=5)
    assert got["t"] == [BEGIN + 40, BEGIN + 70] and got["guessed"] == [1, 0]
    assert extent(parts.engine, "n") == (BEGIN + 40, BEGIN + 70)
    assert extent(parts.engine, "nobody") is None


def test_what_is_no_number_is_no_value_and_still_a_reading(parts: Parts) -> None:
    told = [None, "text", True, [1], {"a": 1}, 2**62, 1.5]
    parts.write(
        [telemetry(1, seq, ts=BEGIN + seq, received=BEGIN, t=one) for seq, one in enumerate(told)]
    )
    got = curve(parts.engine, "n", "t", BEGIN, BEGIN + 10, 100, late_s=5)
    assert got["count"] == 7 and len(got["value"]) == 7
    assert got["value"][0] is None and got["value"][1] == "text" and got["value"][6] == 1.5
    fewer = curve(parts.engine, "n", "t", BEGIN, BEGIN + 10, 3, late_s=5)
    assert sum(fewer["readings"]) <= 3


def test_numbers_that_nobody_measures_end_no_curve(parts: Parts) -> None:
    parts.write([telemetry(1, seq, ts=BEGIN, received=BEGIN, t=1.7e308) for seq in range(9)])
    got = curve(parts.engine, "n", "t", BEGIN - 9, BEGIN + 9, 4, late_s=5)
    assert got["value"] == [None] and got["high"] == [1.7e308]


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "ü", "$", "*", "[0]", "a'; DROP TABLE readings; --", "%", "#-1"]
)
def test_a_field_of_any_name_has_its_curve(parts: Parts, name: str) -> None:
    named: dict[str, Any] = {name: 7.0}
    parts.write(
        [
            telemetry(1, 0, ts=BEGIN, received=BEGIN, **named),
            telemetry(1, 1, ts=BEGIN + 1, received=BEGIN),
        ]
    )
    assert is_field(name)
    assert curve(parts.engine, "n", name, BEGIN, BEGIN + 9, 10, 5)["value"] == [7.0, None]


@pytest.mark.parametrize("name", ["", 'a"b', "a\\", "a\nb", "x" * 121])
def test_a_name_that_sqlite_can_not_take_is_known_as_such(name: str) -> None:
    assert not is_field(name)


def test_what_is_missing_is_told_with_the_times_around_it(parts: Parts) -> None:
    there = [*range(5), *range(8, 12)]
    parts.write([telemetry(1, seq, ts=BEGIN + seq * 10, received=BEGIN, t=1.0) for seq in there])
    parts.write([telemetry(2, seq, ts=BEGIN + 500 + seq, received=BEGIN, t=1.0) for seq in (3, 4)])
    found = gaps(parts.engine, "n", BEGIN, BEGIN + 1000)
    assert found == [
        {"boot": 1, "first": 5, "last": 7, "begin": BEGIN + 40, "end": BEGIN + 80},
        # The beginning of a later boot: nobody knows when these were taken.
        {"boot": 2, "first": 0, "last": 2, "begin": BEGIN + 503, "end": BEGIN + 503},
    ]
    # Seen from within, where there is no reading at all, and from elsewhere.
    assert gaps(parts.engine, "n", BEGIN + 100, BEGIN + 120) == []
    assert len(gaps(parts.engine, "n", BEGIN + 45, BEGIN + 85)) == 1


def test_a_boot_that_was_joined_in_the_middle_lacks_nothing_before_it(parts: Parts) -> None:
    parts.write([telemetry(5, seq, ts=BEGIN + seq, received=BEGIN, t=1.0) for seq in (100, 101)])
    assert gaps(parts.engine, "n", BEGIN, BEGIN + 1000) == []


def test_what_was_removed_for_its_age_is_not_missing(parts: Parts) -> None:
    parts.write(
        [
            telemetry(boot, seq, ts=BEGIN + boot * 100 + seq, received=BEGIN, t=1.0)
            for boot in (1, 2)
            for seq in (0, 6, 7)
        ]
    )
    with parts.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM readings WHERE boot = 2 AND seq = 0")
        connection.exec_driver_sql("INSERT INTO removed VALUES ('n', 2, 6, 0, 5)")
    assert [one["boot"] for one in gaps(parts.engine, "n", 0, BEGIN * 2)] == [1]
