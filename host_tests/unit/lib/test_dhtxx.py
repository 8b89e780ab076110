"""The DHT driver: fresh values, and no frame believed that cannot be right."""

import importlib
import sys

import pytest

from emulated.dht import FakeDht
from emulated.frozen import stand_in_modules


@pytest.fixture
def dhtxx(monkeypatch):
    for name, module in stand_in_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "dhtxx", raising=False)
    return importlib.import_module("dhtxx")


def measure(driver):
    driver.start()
    return driver.read()


def test_a_dht22_gives_tenths_below_zero_too(dhtxx):
    pin = FakeDht(21.5, 40.1)
    driver = dhtxx.DHT(pin)
    assert driver.FIELDS == ("temperature", "humidity")
    assert measure(driver) == (21.5, 40.1)
    pin.celsius, pin.humidity = -3.7, 99.9
    assert measure(driver) == (-3.7, 99.9)


def test_a_dht11_gives_whole_degrees(dhtxx):
    driver = dhtxx.DHT(FakeDht(21, 40, "DHT11"), "DHT11")
    # Aosong's newer ones, as a DHT22, must not be asked again sooner.
    assert driver.start() == 2000
    assert measure(driver) == (21, 40)


def test_the_value_is_of_now_although_the_sensor_answers_with_the_last_one(dhtxx):
    pin = FakeDht(21.5, 40.1)
    driver = dhtxx.DHT(pin)
    measure(driver)
    pin.celsius = 30.0
    assert driver.start() == 2000
    assert driver.read()[0] == 30.0


def test_a_bad_checksum_is_a_value_error_and_the_next_reading_is_good(dhtxx):
    pin = FakeDht(21.5, 40.1)
    driver = dhtxx.DHT(pin)
    pin.corrupt = True
    assert driver.start() == 2000
    with pytest.raises(ValueError, match="bad checksum"):
        driver.read()
    pin.corrupt = False
    assert measure(driver) == (21.5, 40.1)


def test_a_silent_sensor_is_an_os_error(dhtxx):
    pin = FakeDht()
    pin.present = False
    driver = dhtxx.DHT(pin)
    driver.start()
    with pytest.raises(OSError):
        driver.read()


def test_a_frame_of_zeros_is_refused_although_its_checksum_is_good(dhtxx):
    driver = dhtxx.DHT(FakeDht(0, 0))
    with pytest.raises(ValueError, match="empty frame"):
        measure(driver)
    # Zero degrees alone are a winter's day.
    assert measure(dhtxx.DHT(FakeDht(0, 60.0))) == (0, 60.0)


def test_values_out_of_the_range_of_the_sensor_are_refused(dhtxx):
    for pin in (FakeDht(20, 327.5), FakeDht(-60, 50), FakeDht(200, 50)):
        with pytest.raises(ValueError, match="out of range"):
            measure(dhtxx.DHT(pin))


class Frame:
    """A sensor that sends these four bytes and their sum."""

    def __init__(self, text):
        self._head = bytes.fromhex(text)

    def answer(self):
        return bytearray(self._head + bytes((sum(self._head) & 0xFF,)))


def test_a_newer_dht11_has_tenths_and_its_sign_beside_them(dhtxx):
    assert measure(dhtxx.DHT(Frame("2d000683"), "DHT11")) == (-6.3, 45)
    assert measure(dhtxx.DHT(Frame("2d000a81"), "DHT11")) == (-10.1, 45)
    assert measure(dhtxx.DHT(Frame("2d001504"), "DHT11")) == (21.4, 45)


def test_a_clone_of_the_dht22_sends_twos_complement_below_zero(dhtxx):
    assert measure(dhtxx.DHT(Frame("0233fff7"))) == (-0.9, 56.3)
    assert measure(dhtxx.DHT(Frame("0233fe70"))) == (-40, 56.3)


def test_saturated_air_is_100_percent_and_costs_no_temperature(dhtxx):
    assert measure(dhtxx.DHT(Frame("03e900c8"))) == (20, 100)
