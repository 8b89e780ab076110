"""What a board measures of itself, when it can be measured."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from measured import Measured


def test_it_is_measured_when_the_reading_begins_and_not_when_the_radio_is_on() -> None:
    radio = SimpleNamespace(on=False)
    driver = Measured("supply_mv", lambda: None if radio.on else 4987)
    assert driver.start() == 0
    radio.on = True  # The board joins while a slow sensor measures.
    assert driver.read() == (4987,)
    driver.start()
    with pytest.raises(ValueError, match="not measured on this board"):
        driver.read()


def test_a_tenth_is_what_such_a_measurement_is_worth() -> None:
    driver = Measured("die_temperature", lambda: 27.4567)
    driver.start()
    assert driver.read() == (27.5,)
