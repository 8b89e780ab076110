"""An hour has the readings of its own time, and counts as whole only if none can be missing."""

import pytest

from fieldpost.home_assistant.hours import HOUR_S, Hour, hours_of
from fieldpost.home_assistant.readings import Reading
from fieldpost.home_assistant.units import can_convert, convert, unit_of

START_S = 1_795_366_800
assert START_S % HOUR_S == 0


def taken(*minutes: float, boot: int = 1, first: int = 0) -> list[Reading]:
    """Readings at these minutes after START_S; the value is the minute."""
    return [
        Reading("roof", boot, first + at, START_S + 60 * minute, {"temperature": minute})
        for at, minute in enumerate(minutes)
    ]


def hours(readings: list[Reading]) -> dict[int, Hour]:
    """By the number of the hour from START_S on."""
    found = hours_of(readings).get(("roof", "temperature"), [])
    return {(one.start_s - START_S) // HOUR_S: one for one in found}


def test_a_reading_counts_in_the_hour_in_which_it_was_taken() -> None:
    found = hours(taken(0, 30, 59.99, 60, 119, 300))
    assert {at: one.count for at, one in found.items()} == {0: 3, 1: 2, 5: 1}
    assert found[1] == Hour(START_S + HOUR_S, 89.5, 60, 119, 2, True)


def test_the_order_in_which_readings_come_makes_no_difference() -> None:
    readings = taken(*[7.1 * minute for minute in range(60)])
    assert hours(readings[::-1]) == hours(readings)


def whole(readings: list[Reading]) -> list[int]:
    return [at for at, one in hours(readings).items() if one.is_whole]


def test_an_hour_is_whole_between_a_reading_before_and_one_after() -> None:
    every_ten = taken(*range(-10, 190, 10))
    assert whole(every_ten) == [0, 1, 2]
    assert whole(every_ten[1:]) == [1, 2]
    assert whole(every_ten[:-1]) == [0, 1]


@pytest.mark.parametrize("missing", range(1, 8))
def test_an_hour_is_not_whole_if_a_reading_in_it_or_beside_it_is_missing(missing: int) -> None:
    readings = taken(*range(-10, 80, 10))
    assert whole(readings) == [0]
    assert whole(readings[:missing] + readings[missing + 1 :]) == []


def test_a_restart_leaves_an_hour_whole_and_a_boot_joined_in_its_middle_does_not() -> None:
    before, after = taken(-10, 0, 10), taken(20, 30, 60, boot=2)
    assert whole(before + after) == [0]
    assert whole(before + after[1:]) == []


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (21.5, "°C", "°F", 70.7),
        (-40.0, "°C", "°F", -40.0),
        (20.0, "°C", "K", 293.15),
        (1013.25, "hPa", "inHg", 29.9212),
        (1013.25, "hPa", "mmHg", 760.0),
        (254.0, "cm", "in", 100.0),
        (3300.0, "mV", "V", 3.3),
        (40.0, "%", "%", 40.0),
        (3.0, None, None, 3.0),
    ],
)
def test_a_value_is_said_in_the_unit_of_the_statistics(
    value: float, source: str | None, target: str | None, expected: float
) -> None:
    assert can_convert(source, target)
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-5)


def test_units_of_different_things_do_not_mix() -> None:
    for source, target in (("°C", "%"), ("°C", None), (None, "%"), ("hPa", "m"), ("lx", "%")):
        assert not can_convert(source, target)


def test_a_field_has_the_unit_that_its_node_tells_home_assistant() -> None:
    assert unit_of("temperature") == unit_of("outdoor_temperature") == "°C"
    assert unit_of("pressure") == "hPa"
    assert unit_of("starts") is None
