"""The DS18x20 driver on a fake 1-Wire bus: many devices, bad wiring, lost power."""

import importlib
import sys

import pytest

from emulated.frozen import stand_in_modules
from emulated.onewire import FakeThermometer, FakeWire, OneWire, crc8


@pytest.fixture
def ds18b20(monkeypatch):
    for name, module in stand_in_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "ds18b20", raising=False)
    return importlib.import_module("ds18b20")


class Bench:
    def __init__(self, *devices):
        self.elapsed_ms = 0
        self.probes = [FakeThermometer(self.now_ms, *device) for device in devices]
        self.wire = FakeWire(self.probes)
        self.bus = OneWire(self.wire)

    def now_ms(self):
        return self.elapsed_ms

    def measure(self, driver):
        self.elapsed_ms += driver.start()
        return driver.read()


def test_temperatures_over_the_whole_range_come_out_to_a_hundredth(ds18b20):
    bench = Bench((1,))
    driver = ds18b20.DS18B20(bench.bus)
    assert driver.FIELDS == ("temperature",)
    # Data sheet, table 1, 'temperature/data relationship', but for its 85 degC.
    for celsius, published in (
        (125, 125.0),
        (25.0625, 25.06),
        (10.125, 10.13),
        (0.5, 0.5),
        (0, 0),
        (-0.5, -0.5),
        (-10.125, -10.12),
        (-25.0625, -25.06),
        (-55, -55.0),
    ):
        bench.probes[0].celsius = celsius
        assert bench.measure(driver) == (published,)


def test_a_ds18s20_publishes_its_finer_part_too(ds18b20):
    bench = Bench((1, 20, 0x10))
    driver = ds18b20.DS18B20(bench.bus, resolution=9)
    for celsius in (20, 20.25, 20.5, 20.75, 0, -0.25, -10.5):
        bench.probes[0].celsius = celsius
        # It has one resolution, whatever the configuration says.
        assert driver.start() >= 750
        bench.elapsed_ms += 751
        assert driver.read() == (celsius,)


@pytest.mark.parametrize(
    ("resolution", "longest_ms", "step"),
    [(9, 94, 0.5), (10, 188, 0.25), (11, 376, 0.125), (12, 751, 0.0625)],
)
def test_a_lower_resolution_shortens_the_conversion(ds18b20, resolution, longest_ms, step):
    bench = Bench((1, 21.9375))
    driver = ds18b20.DS18B20(bench.bus, resolution)
    assert driver.start() == longest_ms
    bench.elapsed_ms += longest_ms
    # The undefined low bits are ones in the fake, and must not come through.
    assert driver.read()[0] == pytest.approx(21.9375 // step * step, abs=0.0051)
    bench.probes[0].celsius = 30
    assert bench.measure(driver) == (30,)


def test_a_copy_that_ignores_the_resolution_gets_the_time_it_needs(ds18b20):
    bench = Bench((1, 21.5))
    bench.probes[0].ignores_resolution = True
    driver = ds18b20.DS18B20(bench.bus, 9)
    assert bench.measure(driver) == (21.5,)


def test_several_devices_keep_their_names_and_order_whatever_is_added(ds18b20):
    serials = [0x0A1B2C3D, 0x0000A1, 0xFF641D, 0x0A1B2C3C]
    bench = Bench(*[(serial, 10 + i) for i, serial in enumerate(serials)])
    values = dict(zip(*fields_and_values(ds18b20, bench), strict=True))
    assert list(values) == sorted(values)
    assert values == {
        "temperature_00000a1b2c3d": 10,
        "temperature_0000000000a1": 11,
        "temperature_000000ff641d": 12,
        "temperature_00000a1b2c3c": 13,
    }
    bench.wire.devices.append(FakeThermometer(bench.now_ms, 0x5, 50))
    fields, _ = fields_and_values(ds18b20, bench)
    assert set(values) < set(fields)


def fields_and_values(ds18b20, bench):
    driver = ds18b20.DS18B20(bench.bus)
    return driver.FIELDS, bench.measure(driver)


def test_configured_devices_are_read_even_if_absent_and_others_left_alone(ds18b20):
    bench = Bench((0xA1, 20), (0xA2, 30))
    driver = ds18b20.DS18B20(bench.bus, devices=["28-0000000000a2"])
    assert driver.FIELDS == ("temperature",)
    assert bench.measure(driver) == (30,)
    driver = ds18b20.DS18B20(bench.bus, devices=["28-0000000000a3", "28-0000000000a1"])
    assert driver.FIELDS == ("temperature_0000000000a3", "temperature_0000000000a1")
    absent, present = bench.measure(driver)
    assert present == 20
    assert isinstance(absent, OSError)
    assert "no answer from 28-0000000000a3" in str(absent)


def test_ids_are_written_as_linux_writes_them(ds18b20):
    probe = FakeThermometer(lambda: 0, 0x0A1B2C3D)
    assert ds18b20.format_id(probe.rom) == "28-00000a1b2c3d"
    assert bytes(ds18b20.parse_id("28-00000a1b2c3d")) == probe.rom
    for text in ("", "28", "28-a1", "28_00000a1b2c3d", "28-00000a1b2c3", "zz-00000a1b2c3d"):
        with pytest.raises((ValueError, IndexError)):
            ds18b20.parse_id(text)


def test_one_bad_device_does_not_take_the_others_along(ds18b20):
    bench = Bench((1, 21), (2, 22), (3, 23))
    driver = ds18b20.DS18B20(bench.bus)
    bench.probes[0].corrupt = True
    bench.probes[1].present = False
    corrupt, absent, good = bench.measure(driver)
    assert isinstance(corrupt, ValueError)
    assert "bad checksum" in str(corrupt)
    assert isinstance(absent, OSError)
    assert good == 23
    bench.probes[0].corrupt = False
    bench.probes[1].present = True
    assert bench.measure(driver) == (21, 22, 23)


def test_a_bad_crc_is_a_value_error(ds18b20):
    bench = Bench((1, 21))
    driver = ds18b20.DS18B20(bench.bus)
    bench.measure(driver)
    bench.probes[0].corrupt = True
    with pytest.raises(ValueError, match="bad checksum from 28-000000000001"):
        bench.measure(driver)


def test_the_power_on_value_is_refused_and_the_next_reading_is_good(ds18b20):
    bench = Bench((1, 21))
    driver = ds18b20.DS18B20(bench.bus)
    wait_ms = driver.start()
    bench.probes[0].power_cycle()
    bench.elapsed_ms += wait_ms
    with pytest.raises(ValueError, match="power-on value"):
        driver.read()
    assert bench.measure(driver) == (21,)


def test_power_lost_between_readings_leaves_no_wrong_value_at_low_resolution(ds18b20):
    bench = Bench((1, 21))
    driver = ds18b20.DS18B20(bench.bus, 9)
    assert bench.measure(driver) == (21,)
    # Back at 12 bits: the conversion takes longer than the driver waits.
    bench.probes[0].power_cycle()
    with pytest.raises(ValueError, match="power-on value"):
        bench.measure(driver)
    bench.elapsed_ms += 1000
    assert bench.measure(driver) == (21,)


def test_a_conversion_that_never_began_is_no_85_degrees(ds18b20):
    bench = Bench((1, 21))
    driver = ds18b20.DS18B20(bench.bus)
    bench.elapsed_ms += driver.start()
    bench.probes[0]._ready_ms = None
    with pytest.raises(ValueError, match="power-on value"):
        driver.read()


def test_a_device_whose_resolution_is_unknown_gets_the_longest_time(ds18b20):
    bench = Bench((1, 21), (2, 22))
    driver = ds18b20.DS18B20(bench.bus, 9)
    assert driver.start() == 94
    bench.elapsed_ms += 94
    assert driver.read() == (21, 22)
    bench.probes[0].corrupt = True
    bench.measure(driver)
    # Still unreadable at the start, well again by the end.
    assert driver.start() == 751


@pytest.mark.parametrize("family", [0x28, 0x10])
def test_a_device_that_lost_power_is_refused_even_if_its_copy_hides_it(ds18b20, family):
    """Copies have other values in the reserved byte: the mark in the alarm bytes tells."""
    bench = Bench((1, 21, family))
    driver = ds18b20.DS18B20(bench.bus)
    wait_ms = driver.start()
    bench.probes[0].power_cycle()
    bench.probes[0]._reserved = 0x10
    bench.elapsed_ms += wait_ms
    with pytest.raises(ValueError, match="power-on value"):
        driver.read()


def test_true_85_degrees_are_published(ds18b20):
    bench = Bench((1, 85))
    assert bench.measure(ds18b20.DS18B20(bench.bus)) == (85,)


def test_an_empty_bus_and_one_held_low_are_os_errors(ds18b20):
    with pytest.raises(OSError, match="no presence"):
        ds18b20.DS18B20(Bench().bus)
    with pytest.raises(OSError, match="no thermometer"):
        ds18b20.DS18B20(Bench((1, 20, 0x26)).bus)
    bench = Bench((1, 21))
    driver = ds18b20.DS18B20(bench.bus)
    # Zeros all over, with a good CRC: 0.0 degC, if nobody looks.
    bench.wire.held_low = True
    assert crc8(bytes(9)) == 0
    driver.start()
    with pytest.raises(OSError, match="held low"):
        driver.read()
    with pytest.raises(OSError, match="held low"):
        ds18b20.DS18B20(bench.bus)
    bench.wire.held_low = False
    bench.probes[0].present = False
    with pytest.raises(OSError, match="no presence"):
        driver.start()
    with pytest.raises(OSError, match="no presence"):
        driver.read()


def test_a_device_that_noise_made_up_is_not_taken_for_one(ds18b20):
    bench = Bench((1, 21), (2, 22))
    bench.probes[1].rom = bench.probes[1].rom[:7] + bytes([bench.probes[1].rom[7] ^ 1])
    driver = ds18b20.DS18B20(bench.bus)
    assert driver.FIELDS == ("temperature",)
    assert bench.measure(driver) == (21,)


def test_other_devices_on_the_bus_are_left_alone(ds18b20):
    bench = Bench((1, 21), (2, 22, 0x26))
    driver = ds18b20.DS18B20(bench.bus)
    assert bench.measure(driver) == (21,)
