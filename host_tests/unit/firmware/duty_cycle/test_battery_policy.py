"""What a sleeping node does without while its battery is low."""

from types import SimpleNamespace
from typing import Any

import pytest

from firmware.duty_cycle.battery_policy import BatteryPolicy, configured

POLICY = BatteryPolicy(3500, 4, 3300)


@pytest.mark.parametrize(("supply_mv", "stretch"), [(3600, 1), (3500, 1), (3499, 4), (0, 4)])
def test_below_a_supply_readings_are_taken_so_many_times_as_seldom(
    supply_mv: int, stretch: int
) -> None:
    assert POLICY.stretch(supply_mv) == stretch


@pytest.mark.parametrize(
    ("supply_mv", "delivers"), [(3600, True), (3400, True), (3300, True), (3299, False)]
)
def test_below_a_lower_supply_nothing_is_delivered(supply_mv: int, delivers: bool) -> None:
    assert POLICY.may_deliver(supply_mv) == delivers


def test_a_supply_that_cannot_be_measured_is_not_low() -> None:
    assert POLICY.stretch(None) == 1
    assert POLICY.may_deliver(None)


def test_a_node_without_a_lower_supply_delivers_to_the_end() -> None:
    policy = BatteryPolicy(3500, 2, 0)
    assert policy.stretch(1) == 2
    assert policy.may_deliver(1)


class _Board:
    """1.75 V at each pin; the port itself says 5 V."""

    def __init__(self) -> None:
        self.pins: list[int] = []

    def adc(self, pin: int) -> Any:
        self.pins.append(pin)
        return SimpleNamespace(read_uv=lambda: 1_750_400)

    def supply_mv(self) -> int:
        return 5000


_LOW = {"below_mv": 3500, "stretch": 4, "stop_mv": 3300}


def test_the_supply_is_what_the_sensor_that_measures_it_says_in_whole_millivolts() -> None:
    board = _Board()
    meter = {"pin": 35, "scale": 2, "measures_supply": True}
    others = [{"pin": 4, "scale": 9}, meter]
    policy, supply_mv = configured(board, {"low_battery": _LOW, "sensors": others})
    assert (supply_mv(), board.pins) == (3501, [35])
    assert (policy.stretch(3499), policy.may_deliver(3299)) == (4, False)


def test_without_such_a_sensor_the_supply_is_what_the_board_says() -> None:
    board = _Board()
    _, supply_mv = configured(board, {"low_battery": _LOW, "sensors": [{"pin": 4, "scale": 9}]})
    assert (supply_mv(), board.pins) == (5000, [])
