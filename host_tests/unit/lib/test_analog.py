"""The analogue input: averaged, scaled, rounded."""

from analog import Analog

from emulated.adc import FakeAdc


def test_volts_are_scaled_and_offset():
    assert Analog(FakeAdc(1_500_000)).read() == (1.5,)
    assert Analog(FakeAdc(1_500_000), scale=100, offset=-50).read() == (100.0,)
    assert Analog(FakeAdc(0), scale=3, offset=0.25).read() == (0.25,)
    assert Analog(FakeAdc(1_852_341), scale=2000, field="mv", decimals=0).read() == (3705,)


def test_the_field_is_named_by_the_configuration():
    assert Analog(FakeAdc(0)).FIELDS == ("value",)
    assert Analog(FakeAdc(0), field="soil_moisture").FIELDS == ("soil_moisture",)


def test_oversampling_quietens_a_noisy_converter():
    def spread(oversample):
        driver = Analog(FakeAdc(1_000_000, noise_uv=50_000, seed=5), oversample=oversample)
        values = [driver.read()[0] for _ in range(50)]
        return max(values) - min(values)

    assert spread(1) > 0.08
    assert spread(64) < spread(1) / 4


def test_each_reading_costs_just_the_configured_samples():
    adc = FakeAdc(1)
    Analog(adc, oversample=7).read()
    assert adc.reads == 7


def test_no_value_has_more_than_four_decimals():
    value = Analog(FakeAdc(1_234_567), scale=3.3333333).read()[0]
    assert value == round(value, 4)
