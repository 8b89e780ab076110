"""Walks every sensor type through good and bad times and prints what the sensor layer says.

The same file runs in CPython, in MicroPython's unix port and on a board, where floats have single
precision and `onewire`, `ds18x20`, `dht` are the genuine frozen modules: all print the same.
"""

import sys

from fakes.adc import FakeAdc
from fakes.dht import FakeDht
from fakes.i2c import FakeBme280, FakeI2C
from fakes.onewire import FakeThermometer, FakeWire
from fakes.sensor_board import SensorBoard, stand_in_modules
from firmware.sensors import Sensors, format_value


class _OnTheWire:
    """The C module under the genuine `onewire`, led to the fake wire."""

    def __getattr__(self, name):
        if name == "crc8":
            from fakes.onewire import crc8

            return crc8
        return lambda wire, *arguments: getattr(wire, name)(*arguments)


def install():
    for name, module in stand_in_modules().items():
        sys.modules[name] = module
    sys.modules["onewire"]._ow = _OnTheWire()
    sys.modules["dht"].dht_readinto = sys.modules["fakes.dht"].dht_readinto


def show(title, sensors, board):
    wait_ms = sensors.start()
    board.sleep_ms(wait_ms)
    fields, errors = sensors.collect()
    print(title, wait_ms)
    print("  {" + ",".join(f'"{name}":{format_value(value)}' for name, value in fields) + "}")
    for name, text in errors:
        print("  " + name + ": " + text)


def walk():
    board = SensorBoard()
    bme280 = FakeBme280(board.now_ms)
    bmp280 = FakeBme280(board.now_ms, chip_id=0x58)
    bus = board.buses[0] = FakeI2C({0x76: bme280, 0x77: bmp280})
    probes = [
        FakeThermometer(board.now_ms, 0x0A1B2C3D, 21.53),
        FakeThermometer(board.now_ms, 0x0A1B2C3E, -10.125, 0x10),
    ]
    wire = board.wires[4] = FakeWire(probes)
    dht = board.pins[15] = FakeDht(-3.7, 61.2)
    board.adcs[34] = FakeAdc(1234567, noise_uv=20000)
    on_i2c = {"type": "bme280", "bus": 0, "scl": 22, "sda": 21, "freq_hz": 100000}
    configs = [
        {"type": "internal", "name": "internal", "prefix": ""},
        {"type": "supply", "name": "supply", "prefix": "", "pin": None, "scale": 1.0},
        {"type": "supply", "name": "battery", "prefix": "battery_", "pin": 34, "scale": 2.0},
        {
            "type": "analog",
            "name": "soil",
            "prefix": "",
            "pin": 34,
            "scale": 100.0,
            "offset": -0.5,
            "oversample": 16,
            "field": "soil_moisture",
        },
        {"type": "dht", "name": "dht", "prefix": "cellar_", "pin": 15, "model": "DHT22"},
        {
            "type": "ds18x20",
            "name": "pipes",
            "prefix": "pipe_",
            "pin": 4,
            "resolution": 12,
            "devices": None,
        },
        dict(on_i2c, name="indoor", prefix="", address=0x76),
        dict(on_i2c, name="outdoor", prefix="outdoor_", address=0x77),
        {
            "type": "simulated",
            "name": "simulated",
            "prefix": "sim_",
            "seed": 7,
            "period_s": 60,
            "fail_every": 4,
        },
    ]
    sensors = Sensors(configs, board)
    show("all well", sensors, board)
    bus.stuck = True
    wire.held_low = True
    dht.corrupt = True
    show("stuck buses, bad frame", sensors, board)
    bus.stuck = wire.held_low = dht.corrupt = False
    bme280.memory[0xD0] = 0x61
    del bus.devices[0x77]
    probes[0].corrupt = True
    probes[1].present = False
    dht.present = False
    show("wrong chip, absent, corrupt", sensors, board)
    bme280.memory[0xD0] = 0x60
    bus.devices[0x77] = bmp280
    probes[0].corrupt = False
    probes[1].present = True
    dht.present = True
    bme280.power_cycle()
    probes[0].power_cycle()
    show("all back", sensors, board)
    for celsius, raw in ((-12.3, 390000), (0, 420000), (35.7, 560000)):
        bme280.raw_temperature = bmp280.raw_temperature = raw
        bme280.raw_pressure = raw - 90000
        probes[0].celsius = probes[1].celsius = dht.celsius = celsius
        board.sleep_ms(7000)
        show(f"raw {raw}", sensors, board)


install()
walk()
