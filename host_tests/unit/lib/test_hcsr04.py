"""The ultrasonic driver: centimetres by the data sheet's rule, and no wait without an end."""

import pytest
from hcsr04 import HCSR04

from emulated.ultrasound import FakeUltrasound


def driver_of(sensor, samples=1):
    return HCSR04(sensor.trigger, sensor.echo, sensor, samples)


@pytest.mark.parametrize(
    ("centimetres", "look_us"), [(2, 1), (10, 5), (100, 5), (400, 8), (600, 8)]
)
def test_the_pulse_becomes_centimetres(centimetres, look_us):
    sensor = FakeUltrasound([centimetres * 58], look_us)
    driver = driver_of(sensor)
    assert driver.FIELDS == ("distance",)
    assert driver.start() == 0
    # As sharp as the board looks often.
    assert driver.read()[0] == pytest.approx(centimetres, abs=(2 * look_us + 3) / 58 + 0.05)


def test_the_median_leaves_a_stray_echo_out_and_sounds_are_60_ms_apart():
    sensor = FakeUltrasound([58000 // 10, 900, 5800])
    assert driver_of(sensor, samples=3).read()[0] == pytest.approx(100, abs=0.5)
    assert len(sensor.triggers) == 3
    gaps = [b - a for a, b in zip(sensor.triggers, sensor.triggers[1:], strict=False)]
    assert min(gaps) >= 60000


def test_nothing_within_range_is_a_value_error_and_no_distance():
    sensor = FakeUltrasound([38000])
    with pytest.raises(ValueError, match="nothing within range"):
        driver_of(sensor).read()
    assert sensor.now_us < 50000


def test_an_absent_sensor_is_an_os_error_after_10_ms():
    sensor = FakeUltrasound([5800])
    sensor.present = False
    with pytest.raises(OSError, match="no echo pulse"):
        driver_of(sensor).read()
    assert 10000 < sensor.now_us < 12000


def test_an_echo_pin_held_high_is_an_os_error():
    sensor = FakeUltrasound([5800])
    sensor.echo.level = 1
    with pytest.raises(OSError, match="held high"):
        driver_of(sensor).read()


def test_a_spike_is_no_distance():
    with pytest.raises(ValueError, match="too near"):
        driver_of(FakeUltrasound([30], look_us=1)).read()
