"""The soil probe: straight between its two points, and no value without a probe."""

import pytest
from soil import Soil

from emulated.adc import FakeAdc


@pytest.mark.parametrize(
    ("millivolts", "expected"),
    [(2600, 0), (1000, 100), (1800, 50), (2200, 25), (1234.5, 85.3), (2650, 0), (960, 100)],
)
def test_millivolts_between_dry_and_wet_become_percent(millivolts, expected):
    driver = Soil(FakeAdc(int(millivolts * 1000)), dry_mv=2600, wet_mv=1000)
    assert driver.FIELDS == ("soil_moisture",)
    assert driver.read() == (expected,)


def test_a_probe_whose_voltage_rises_with_moisture_works_too():
    assert Soil(FakeAdc(500_000), dry_mv=0, wet_mv=2000).read() == (25,)


@pytest.mark.parametrize("millivolts", [0, 100, 3100, 3300])
def test_a_voltage_far_from_both_points_is_an_error_and_no_percentage(millivolts):
    driver = Soil(FakeAdc(millivolts * 1000), dry_mv=2600, wet_mv=1000)
    with pytest.raises(ValueError, match=f"{millivolts} mV is far outside"):
        driver.read()


def test_points_that_are_the_same_are_refused():
    with pytest.raises(ValueError, match="the same"):
        Soil(FakeAdc(0), dry_mv=1000, wet_mv=1000)


def test_oversampling_quietens_a_noisy_converter():
    def spread(oversample):
        adc = FakeAdc(1_800_000, noise_uv=50_000, seed=5)
        driver = Soil(adc, 2600, 1000, oversample)
        values = [driver.read()[0] for _ in range(50)]
        return max(values) - min(values)

    assert spread(1) > 4
    assert spread(64) < spread(1) / 4
