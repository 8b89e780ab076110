"""The BME280 driver against Bosch's worked example and against a chip that misbehaves."""

import random
import struct

import bme280
import pytest

from emulated.i2c import EIO, ENODEV, ETIMEDOUT, FakeBme280, FakeI2C

TEMPERATURE_TRIM = FakeBme280.TEMPERATURE_TRIM
PRESSURE_TRIM = FakeBme280.PRESSURE_TRIM
HUMIDITY_TRIM = FakeBme280.HUMIDITY_TRIM


class Bench:
    """One chip at 0x76 and a clock."""

    def __init__(self, chip_id=0x60):
        self.elapsed_ms = 0
        self.chip = FakeBme280(lambda: self.elapsed_ms, chip_id)
        self.bus = FakeI2C({0x76: self.chip})

    def measure(self, driver):
        self.elapsed_ms += driver.start()
        return driver.read()


# The floating-point formulae of the data sheet's appendix (BST-BME280-DS001, 8.1): another road to
# the same values, so that a slip in the integer ones shows.


def float_fine(raw, trim):
    t1, t2, t3 = trim
    linear = (raw / 16384 - t1 / 1024) * t2
    return linear + (raw / 131072 - t1 / 8192) ** 2 * t3


def float_pressure_pa(raw, fine, trim):
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = trim
    var1 = fine / 2 - 64000
    var2 = var1 * var1 * p6 / 32768 + var1 * p5 * 2
    var2 = var2 / 4 + p4 * 65536
    var1 = (p3 * var1 * var1 / 524288 + p2 * var1) / 524288
    var1 = (1 + var1 / 32768) * p1
    pressure = (1048576 - raw - var2 / 4096) * 6250 / var1
    return pressure + (p9 * pressure * pressure / 2147483648 + pressure * p8 / 32768 + p7) / 16


def float_humidity(raw, fine, trim):
    h1, h2, h3, h4, h5, h6 = trim
    value = fine - 76800
    value = (raw - (h4 * 64 + h5 / 16384 * value)) * (
        h2 / 65536 * (1 + h6 / 67108864 * value * (1 + h3 / 67108864 * value))
    )
    return min(max(value * (1 - h1 * value / 524288), 0), 100)


def test_the_worked_example_of_the_data_sheet_comes_out():
    fine = bme280.fine_temperature(519888, TEMPERATURE_TRIM)
    assert fine == 128422
    assert (fine * 5 + 128) >> 8 == 2508
    pascal = bme280.pressure_256th_pa(415148, fine, PRESSURE_TRIM) / 256
    assert pascal == pytest.approx(100653.27, abs=0.02)
    # The published value itself is that of the floating-point formula.
    fine = float_fine(519888, TEMPERATURE_TRIM)
    assert float_pressure_pa(415148, fine, PRESSURE_TRIM) == pytest.approx(100653.27, abs=0.005)


def test_a_measurement_carries_the_worked_example_in_published_units():
    bench = Bench()
    driver = bme280.BME280(bench.bus)
    temperature, pressure, humidity = bench.measure(driver)
    assert driver.FIELDS == ("temperature", "pressure", "humidity")
    assert (temperature, pressure) == (25.08, 1006.53)
    assert humidity == pytest.approx(float_humidity(27000, 128422, HUMIDITY_TRIM), abs=0.02)


def test_integer_and_floating_point_formulae_agree_over_the_range():
    seed = 20240
    rng = random.Random(seed)
    compared = 0
    for _ in range(3000):
        fine = float_fine(raw := rng.randrange(330000, 680000), TEMPERATURE_TRIM)
        exact = bme280.fine_temperature(raw, TEMPERATURE_TRIM)
        # 5120ths of a degC; the integer formula drops the last three bits of the raw value.
        assert abs(exact - fine) < 20, (seed, raw)
        raw = rng.randrange(250000, 550000)
        pascal = float_pressure_pa(raw, fine, PRESSURE_TRIM)
        if 30000 <= pascal <= 110000:
            compared += 1
            whole = bme280.pressure_256th_pa(raw, exact, PRESSURE_TRIM) / 256
            assert abs(whole - pascal) < 0.7, (seed, raw, fine)
        raw = rng.randrange(15000, 45000)
        percent = float_humidity(raw, fine, HUMIDITY_TRIM)
        whole = bme280.humidity_1024th(raw, exact, HUMIDITY_TRIM) / 1024
        assert abs(whole - percent) < 0.05, (seed, raw, fine)
    assert compared > 1000


def test_calibration_is_parsed_with_its_signs_and_shared_half_bytes():
    bench = Bench()
    for humidity in ((255, -32768, 255, -2048, 2047, -128), (0, 32767, 0, 2047, -2048, 127)):
        pressure = (65534, -32768, 32767, -1, 1, -2, 2, -3, 3)
        bench.chip.trim((1, -32768, 32767), pressure, humidity)
        driver = bme280.BME280(bench.bus)
        assert driver._temperature == (1, -32768, 32767)
        assert driver._pressure == pressure
        assert driver._humidity == humidity


def test_a_bmp280_is_recognised_and_publishes_no_humidity():
    for chip_id in (0x56, 0x57, 0x58):
        bench = Bench(chip_id)
        driver = bme280.BME280(bench.bus)
        assert driver.FIELDS == ("temperature", "pressure")
        assert bench.measure(driver) == (25.08, 1006.53)
    # The class is not changed by it.
    assert len(bme280.BME280(Bench().bus).FIELDS) == 3


def test_another_chip_at_the_address_is_refused_by_its_id():
    with pytest.raises(ValueError, match="chip id 0x61 is neither BME280 nor BMP280"):
        bme280.BME280(Bench(0x61).bus)


def test_blank_calibration_is_refused():
    bench = Bench()
    for byte in (b"\x00", b"\xff"):
        bench.chip.memory[0x88:0xA0] = byte * 24
        with pytest.raises(ValueError, match="calibration is blank"):
            bme280.BME280(bench.bus)


def test_calibration_that_would_divide_by_zero_is_an_error():
    with pytest.raises(ValueError, match="calibration"):
        bme280.pressure_256th_pa(415148, 128422, (0, *PRESSURE_TRIM[1:]))


def test_an_absent_chip_and_a_stuck_bus_are_os_errors():
    for absent_errno in (ENODEV, EIO):
        with pytest.raises(OSError) as caught:
            bme280.BME280(FakeI2C({}, absent_errno))
        assert caught.value.args[0] == absent_errno
    bench = Bench()
    driver = bme280.BME280(bench.bus)
    bench.bus.stuck = True
    for call in (driver.start, driver.read):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.args[0] == ETIMEDOUT


def test_reading_too_early_is_an_error_and_no_old_value():
    bench = Bench()
    driver = bme280.BME280(bench.bus)
    bench.measure(driver)
    bench.chip.raw_temperature = 400000
    bench.elapsed_ms += driver.start() - 1
    with pytest.raises(OSError, match="too long"):
        driver.read()


def test_power_lost_during_a_measurement_is_an_error_and_power_lost_between_is_none():
    bench = Bench()
    driver = bme280.BME280(bench.bus)
    wait_ms = driver.start()
    bench.chip.power_cycle()
    bench.elapsed_ms += wait_ms
    with pytest.raises(ValueError, match="lost power"):
        driver.read()
    bmp280 = Bench(0x58)
    without_humidity = bme280.BME280(bmp280.bus)
    wait_ms = without_humidity.start()
    bmp280.chip.power_cycle()
    bmp280.elapsed_ms += wait_ms
    with pytest.raises(ValueError, match="lost power"):
        without_humidity.read()
    # All settings are gone from the chip, humidity's too: each start writes them.
    bench.chip.power_cycle()
    assert len(bench.measure(driver)) == 3


def test_every_reading_is_a_new_measurement():
    bench = Bench()
    driver = bme280.BME280(bench.bus)
    first = bench.measure(driver)
    bench.chip.raw_temperature += 8000
    second = bench.measure(driver)
    assert second[0] > first[0] + 1


def test_the_fake_forgets_humidity_set_after_the_control_register():
    """The fake itself: a driver that writes in the wrong order must fail on it."""
    bench = Bench()
    bench.bus.writeto_mem(0x76, 0xF4, b"\x25")
    bench.bus.writeto_mem(0x76, 0xF2, b"\x01")
    bench.elapsed_ms += 10
    bench.bus.writeto(0x76, b"\xfd")
    assert struct.unpack(">H", bench.bus.readfrom(0x76, 2)) == (0x8000,)
    assert bench.bus.scan() == [0x76]


def test_a_raw_value_that_equals_its_reset_value_is_a_value():
    bench = Bench()
    bench.chip.raw_temperature, bench.chip.raw_pressure = 0x7EED0, 0x655AC
    bench.chip.raw_humidity = 0x8000
    assert bench.measure(bme280.BME280(bench.bus)) == (25.08, 1006.53, 70.36)


def test_registers_that_were_never_written_are_an_error_of_a_bmp280_too():
    for chip_id in (0x60, 0x58):
        bench = Bench(chip_id)
        bench.chip.raw_temperature = bench.chip.raw_pressure = 0x80000
        bench.chip.raw_humidity = 0x8000
        with pytest.raises(ValueError, match="no measurement"):
            bench.measure(bme280.BME280(bench.bus))
