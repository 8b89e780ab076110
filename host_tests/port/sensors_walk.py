"""Walks every sensor type through good and bad times and prints what the sensor layer says.

The same file runs in CPython, in MicroPython's unix port and on a board, where floats have single
precision and `onewire`, `ds18x20`, `dht` are the genuine frozen modules: all print the same.
"""

from emulated.adc import FakeAdc
from emulated.dht import FakeDht
from emulated.frozen import install
from emulated.hx711 import FakeHx711
from emulated.i2c import FakeBme280
from emulated.i2c_commands import (
    CommandI2C,
    FakeAht20,
    FakeBh1750,
    FakeIna219,
    FakeScd4x,
    FakeSgp40,
    FakeSht3x,
    FakeSht4x,
)
from emulated.onewire import FakeThermometer, FakeWire
from emulated.pin import FakePin
from emulated.uart import FakePms5003
from emulated.ultrasound import FakeUltrasound
from fakes.sensor_board import SensorBoard
from firmware.config import keys_sensors
from firmware.readings.sensors import Sensors, format_value

PLAIN = {"fields": [], "calibration": [], "median": 1, "every": 1, "wake": True}
# By a sensor's name: what sets it apart from PLAIN.
CONDITIONED = {
    "outdoor": {
        "fields": ["pressure", "temperature"],
        "calibration": [{"field": "temperature", "scale": 1.01, "offset": -0.35}],
    },
    "hive": {"median": 3},
    "bed": {"median": 5, "every": 2},
}


def show(title, sensors, board):
    begun_ms = board.elapsed_ms
    board.sleep_ms(sensors.start())
    wait_ms = sensors.again()
    while wait_ms:
        board.sleep_ms(wait_ms)
        wait_ms = sensors.again()
    wait_ms = board.elapsed_ms - begun_ms
    fields, errors = sensors.collect()
    print(title, wait_ms)
    print("  {" + ",".join(f'"{name}":{format_value(value)}' for name, value in fields) + "}")
    for name, text in errors:
        print("  " + name + ": " + text)


def walk():
    board = SensorBoard()
    bme280 = FakeBme280(board.now_ms)
    bmp280 = FakeBme280(board.now_ms, chip_id=0x58)
    commanded = {
        0x44: FakeSht3x(board.now_ms, 0x5A5A, 0x4B4B),
        0x46: FakeSht4x(board.now_ms, 0x5A5A, 0x4B4B),
        0x38: FakeAht20(board.now_ms, 0x3C3C3, 0x5A5A5, calibrated=False),
        0x23: FakeBh1750(board.now_ms, 12345),
        0x62: FakeScd4x(board.now_ms, 812),
        0x40: FakeIna219(board.now_ms, -1234, 822),
        0x59: FakeSgp40(board.now_ms),
    }
    bus = board.buses[0] = CommandI2C({0x76: bme280, 0x77: bmp280})
    bus.devices.update(commanded)
    ultrasound = FakeUltrasound([5801])
    board.pins[7], board.pins[8] = ultrasound.trigger, ultrasound.echo
    load_cell = FakeHx711(board.now_ms, 0xFF1234)
    board.pins[9], board.pins[10] = load_cell.clock, load_cell.data
    particles = board.uarts[1, 9600, 11, 12] = FakePms5003(board.now_ms)
    board.pins[5], board.pins[6] = FakePin(0), FakePin(1)
    board.time.ticks_us, board.time.ticks_diff = ultrasound.ticks_us, ultrasound.ticks_diff
    board.time.ticks_ms = board.now_ms

    def sleep_us(duration_us):
        ultrasound.sleep_us(duration_us)
        load_cell.sleep_us(duration_us)

    board.time.sleep_us = sleep_us
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
            "type": "soil",
            "name": "bed",
            "prefix": "",
            "pin": 34,
            "dry_mv": 2600,
            "wet_mv": 1000,
            "oversample": 16,
            "field": "bed_moisture",
        },
        {
            "type": "pulses",
            "name": "rain",
            "prefix": "",
            "pin": 6,
            "scale": 0.2794,
            "debounce_ms": 10,
            "field": "rain_mm",
        },
        {
            "type": "digital",
            "name": "door",
            "prefix": "",
            "pin": 5,
            "pull": "up",
            "active_low": True,
            "field": "door",
            "wake": False,
        },
        {"type": "hcsr04", "name": "tank", "prefix": "", "trigger": 7, "echo": 8, "samples": 3},
        {
            "type": "hx711",
            "name": "hive",
            "prefix": "",
            "clock": 9,
            "data": 10,
            "scale": 420.5,
            "offset": 81406.0,
            "field": "weight",
        },
        {"type": "pms5003", "name": "dust", "prefix": "", "uart": 1, "tx": 11, "rx": 12},
        {
            "type": "simulated",
            "name": "simulated",
            "prefix": "sim_",
            "seed": 7,
            "period_s": 60,
            "fail_every": 4,
        },
    ]
    kinds = ("bh1750", "aht", "ina219", "sht3x", "sht4x", "sgp40", "scd4x")
    for kind, address in zip(kinds, sorted(commanded)):
        more = {"type": kind, "name": kind, "prefix": kind + "_", "address": address}
        configs.append(dict(on_i2c, shunt_mohm=100.0, **more))
    configs = [dict(PLAIN, **one) for one in configs]
    for one in configs:
        one.update(CONDITIONED.get(one["name"], {}))
    keys_sensors.complete(configs)
    sensors = Sensors(configs, board)
    show("all well", sensors, board)
    bus.stuck = True
    wire.held_low = True
    dht.corrupt = particles.corrupt = load_cell.held_low = True
    ultrasound.echo.level = 1
    show("stuck buses, bad frame", sensors, board)
    bus.stuck = wire.held_low = dht.corrupt = False
    particles.corrupt = load_cell.held_low = False
    ultrasound.echo.level = 0
    bme280.memory[0xD0] = 0x61
    del bus.devices[0x77]
    probes[0].corrupt = True
    probes[1].present = False
    dht.present = load_cell.present = particles.present = ultrasound.present = False
    for device in commanded.values():
        device.corrupt = True
    del bus.devices[0x23], bus.devices[0x40]
    board.adcs[34].microvolts = 0
    show("wrong chip, absent, corrupt", sensors, board)
    bme280.memory[0xD0] = 0x60
    bus.devices[0x77] = bmp280
    probes[0].corrupt = False
    probes[1].present = True
    dht.present = load_cell.present = particles.present = ultrasound.present = True
    for address, device in commanded.items():
        device.corrupt = False
        bus.devices[address] = device
        if address != 0x62:  # which is an error once, as it should be
            device.power_cycle()
    board.adcs[34].microvolts = 1234567
    bme280.power_cycle()
    probes[0].power_cycle()
    show("all back", sensors, board)
    for level in (0, 1, 0, 1):
        board.pins[6].drive(level)
        board.sleep_ms(50)
    for celsius, raw in ((-12.3, 390000), (0, 420000), (35.7, 560000)):
        bme280.raw_temperature = bmp280.raw_temperature = raw
        bme280.raw_pressure = 400000 + raw // 20
        probes[0].celsius = probes[1].celsius = dht.celsius = celsius
        board.sleep_ms(7000)
        show(f"raw {raw}", sensors, board)


install()
walk()
