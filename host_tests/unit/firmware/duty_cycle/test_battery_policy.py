"""What a sleeping node does without while its battery is low."""

import pytest

from firmware.duty_cycle.battery_policy import BatteryPolicy

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
