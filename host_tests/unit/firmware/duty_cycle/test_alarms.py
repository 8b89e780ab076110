"""When a reading cannot wait: at which values, and against what."""

from typing import Any

import pytest

from firmware.duty_cycle.alarms import Alarms, limits_of


def _urgent(limit: dict[str, Any], *values: Any, delivered: Any = None) -> list[bool]:
    """Which of these values, one after the other, cannot wait."""
    alarms = Alarms({"level": limit})
    if delivered is not None:
        alarms.delivered([("level", delivered)])
    return [bool(alarms.check([("level", value)])) for value in values]


def test_a_value_at_its_threshold_does_not_lie_beyond_it() -> None:
    assert _urgent({"above": 30}, 29, 30, 30.5, 31, 30) == [False, False, True, False, True]
    assert _urgent({"below": 5}, 6, 5, 4.5, 4, 5) == [False, False, True, False, True]


def test_a_change_of_just_so_much_cannot_wait() -> None:
    assert _urgent({"change": 4}, 20, 23.9, 24, 16, 16.1) == [False, False, True, True, False]


def test_a_reading_of_before_the_start_that_is_delivered_crosses_no_threshold() -> None:
    """What waited on flash is delivered before a node that started anew has measured."""
    assert _urgent({"above": 30}, 25, 31, delivered=28) == [False, True]
    assert _urgent({"change": 4}, 25, 32, delivered=28) == [False, True]


@pytest.mark.parametrize("value", [True, False, "open"])
def test_what_is_no_number_crosses_no_threshold(value: Any) -> None:
    assert _urgent({"above": 0, "change": 1}, value, value) == [False, False]


def test_limits_belong_to_a_field_by_the_name_under_which_it_is_published() -> None:
    alarm = {"field": "temperature", "above": 30}
    sensors = [{"prefix": "roof_", "alarms": [alarm]}, {"prefix": "", "alarms": []}]
    assert limits_of(sensors) == {"roof_temperature": alarm}
    assert Alarms(limits_of(sensors)).check([("temperature", 99)]) == []
