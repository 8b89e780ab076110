"""The digital input: what is at the pin now, and which way round."""

import pytest
from digital import Digital

from emulated.pin import FakePin


@pytest.mark.parametrize(
    ("level", "active_low", "expected"), [(0, False, 0), (1, False, 1), (0, True, 1), (1, True, 0)]
)
def test_the_level_becomes_1_or_0(level, active_low, expected):
    driver = Digital(FakePin(level), active_low)
    assert driver.start() == 0
    value = driver.read()[0]
    assert (value, type(value)) == (expected, int)


def test_every_reading_is_of_now():
    pin = FakePin(0)
    driver = Digital(pin, field="door")
    assert driver.FIELDS == ("door",)
    assert driver.read() == (0,)
    pin.drive(1)
    assert driver.read() == (1,)
