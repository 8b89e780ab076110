"""For each sensor type, what stands in for the device: made, and told what it is to measure.

`TYPES[type](desk, one)` wires the device of the checked sensor `one` to a Desk, and returns
`(tell, present)`: `tell(values)` has it measure `values`, a dict by the driver's fields, and
`present(is_there)` plugs it in and out. A type that is not in it is `of_ones_own`. The formulae
are those of the drivers, solved for the raw value.
"""

from emulated.adc import FakeAdc
from emulated.dht import FakeDht
from emulated.hx711 import FakeHx711
from emulated.i2c import FakeBme280
from emulated.i2c_commands import (
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
from emulated.registers import Registers
from emulated.uart import FakePms5003
from emulated.ultrasound import FakeUltrasound

# A fine clock for what is timed in microseconds, so that a distance comes out as it was told.
_LOOK_US = 1
_WORD = 65535


def _word(share):
    """`share` of the range of 16 bits."""
    return min(max(int(share * _WORD + 0.5), 0), _WORD)


def _round(value):
    """To the nearest whole number, below zero too."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)


def _on_i2c(desk, one, device):
    devices = desk.bus(one["bus"]).devices

    def present(is_there):
        if is_there:
            devices[one["address"]] = device
        else:
            devices.pop(one["address"], None)

    present(True)
    return present


def _flag(device):
    def present(is_there):
        device.present = is_there

    return present


def _always(is_there):
    """A wire is there, whatever hangs on it."""


def _bme280(desk, one):
    chip = FakeBme280(desk.now_ms)
    # Straight lines in place of a real chip's curves.
    chip.trim((27504, 26435, 0), (36477,) + (0,) * 8, (0, 100, 0, 0, 0, 0))

    def tell(values):
        eighths = _round(values["temperature"] * 5120 * 2048 / 26435) + 2 * 27504
        chip.raw_temperature = min(max(eighths << 3, 0), 0xFFFFF)
        # 256 times the pascals of the driver's formula, with P1 alone.
        chip.raw_pressure = min(
            max(1048576 - _round(values["pressure"] * 100 * 36477 / 6250), 0), 0xFFFFF
        )
        chip.raw_humidity = min(max(_round(values["humidity"] * 655.36), 0), 0xFFFF)

    return tell, _on_i2c(desk, one, chip)


def _climate(make, low, span):
    """Sensirion's: `low` and `span` are those of the humidity's scale."""

    def wire(desk, one):
        chip = make(desk.now_ms)

        def tell(values):
            chip.raw = (
                _word((values["temperature"] + 45) / 175),
                _word((values["humidity"] - low) / span),
            )

        return tell, _on_i2c(desk, one, chip)

    return wire


def _scd4x(desk, one):
    chip = FakeScd4x(desk.now_ms)

    def tell(values):
        chip.raw = (
            _round(values["co2"]),
            _word((values["temperature"] + 45) / 175),
            _word(values["humidity"] / 100),
        )

    return tell, _on_i2c(desk, one, chip)


def _sgp40(desk, one):
    chip = FakeSgp40(desk.now_ms)

    def tell(values):
        chip.raw = _round(values["voc_raw"])

    return tell, _on_i2c(desk, one, chip)


def _aht(desk, one):
    chip = FakeAht20(desk.now_ms)

    def tell(values):
        most = (1 << 20) - 1
        humidity = min(_round(values["humidity"] / 100 * (1 << 20)), most)
        temperature = min(max(_round((values["temperature"] + 50) / 200 * (1 << 20)), 0), most)
        chip.raw = (humidity, temperature)

    return tell, _on_i2c(desk, one, chip)


def _bh1750(desk, one):
    chip = FakeBh1750(desk.now_ms)

    def tell(values):
        chip.counts = min(_round(values["illuminance"] * 1.2), _WORD)

    return tell, _on_i2c(desk, one, chip)


def _ina219(desk, one):
    chip = FakeIna219(desk.now_ms)

    def tell(values):
        chip.bus = _round(values["voltage"] * 250)
        chip.shunt = _round(values["current"] * 100 * one["shunt_mohm"])

    return tell, _on_i2c(desk, one, chip)


def _dht(desk, one):
    device = FakeDht(model=one["model"])
    desk.pins[one["pin"]] = device

    def tell(values):
        device.celsius, device.humidity = values["temperature"], values["humidity"]
        device.answer()  # Which is what it measured before.

    return tell, _flag(device)


def _ds18x20(desk, one):
    ids = one["devices"] or ["28-0000000d3c2a"]
    probes = {}
    for text in ids:
        probe = FakeThermometer(desk.now_ms, int(text[3:], 16), 20.0, int(text[:2], 16))
        probes["temperature" if len(ids) == 1 else "temperature_" + text[3:]] = probe
    desk.wires[one["pin"]] = FakeWire(list(probes.values()))

    def tell(values):
        for field, probe in probes.items():
            probe.celsius = values[field]

    def present(is_there):
        for probe in probes.values():
            probe.present = is_there

    return tell, present


def _at_adc(microvolts):
    """`microvolts(one, value)` at the pin stand for a value."""

    def wire(desk, one):
        adc = desk.adcs[one["pin"]] = FakeAdc(0)

        def tell(values):
            ((_, value),) = values.items()
            adc.microvolts = _round(microvolts(one, value))

        return tell, _always

    return wire


def _soil_uv(one, percent):
    return (one["dry_mv"] + (one["wet_mv"] - one["dry_mv"]) * percent / 100) * 1000


def _analog_uv(one, value):
    return (value - one["offset"]) / (one["scale"] or 1) * 1000000


def _supply_uv(one, millivolts):
    return millivolts * 1000 / one["scale"]


def _supply(desk, one):
    if one["pin"] is not None:
        return _at_adc(_supply_uv)(desk, one)

    def tell(values):
        desk.millivolts = _round(values["supply_mv"])

    return tell, _always


def _internal(desk, one):
    def tell(values):
        desk.die_c = values["die_temperature"]

    return tell, _always


def _digital(desk, one):
    pin = desk.pins[one["pin"]] = FakePin()

    def tell(values):
        ((_, value),) = values.items()
        pin.drive(int(bool(value) != one["active_low"]))

    return tell, _always


def _pulses(desk, one):
    pin = desk.pins[one["pin"]] = FakePin(1)

    def tell(values):
        ((_, value),) = values.items()
        desk.pulse(pin, value / (one["scale"] or 1))

    return tell, _always


def _hcsr04(desk, one):
    device = FakeUltrasound([1], _LOOK_US)
    desk.pins[one["trigger"]], desk.pins[one["echo"]] = device.trigger, device.echo
    desk.time.timed.append(device)

    def tell(values):
        # The last look is one after the end of the pulse.
        device.pulse_us = [_round(values["distance"] * 58)]

    return tell, _flag(device)


def _hx711(desk, one):
    chip = FakeHx711(desk.now_ms, 0)
    desk.pins[one["clock"]], desk.pins[one["data"]] = chip.clock, chip.data
    desk.time.timed.append(chip)

    def tell(values):
        ((_, value),) = values.items()
        chip.raw = _round(value * one["scale"] + one["offset"]) & 0xFFFFFF

    return tell, _flag(chip)


def _pms5003(desk, one):
    sensor = FakePms5003(desk.now_ms)
    desk.uarts[one["uart"]] = sensor

    def tell(values):
        sensor.pm = tuple(_round(values[field]) for field in ("pm1", "pm25", "pm10"))
        counts = FakePms5003.MORE[:6]
        if one["type"] == "pms5003st":
            # Where each model has what else it measures: lib/pms5003st.py.
            formaldehyde = _round(values.get("formaldehyde", 0))
            climate = (
                _round(values.get("temperature", 0) * 10) & _WORD,
                _round(values.get("humidity", 0) * 10),
            )
            sensor.more = {
                "PMS5003T": counts[:4] + climate + (0x9700,),
                "PMS5003S": counts + (formaldehyde,),
                "PMS5003ST": counts + (formaldehyde,) + climate + (0, 0x9A00),
            }[one["model"]]

    return tell, _flag(sensor)


def of_ones_own(desk, one):
    """For a type `driver`, or one that has no device here: a chip whose registers are told by
    their numbers, or a pin: its `level`, and the `mv` that an ADC there measures."""
    if one.get("pin") is not None:
        pin = desk.pins[one["pin"]] = FakePin()
        adc = desk.adcs[one["pin"]] = FakeAdc(0)

        def tell_pin(values):
            pin.drive(int(values.get("level", 0)))
            adc.microvolts = _round(values.get("mv", 0) * 1000)

        return tell_pin, _always
    chip = Registers()

    def tell(values):
        for register, text in values.items():
            chip.tell(int(register), bytes.fromhex(text))

    if "bus" not in one:
        return tell, _always
    if one.get("address") is None:
        # The driver alone knows where it looks for its chip, and maybe at which pins.
        bus = desk.bus(one["bus"])

        def present(is_there):
            bus.anywhere = chip if is_there else None

        present(True)
        return tell, present
    return tell, _on_i2c(desk, one, chip)


TYPES = {
    "aht": _aht,
    "analog": _at_adc(_analog_uv),
    "bh1750": _bh1750,
    "bme280": _bme280,
    "dht": _dht,
    "digital": _digital,
    "driver": of_ones_own,
    "ds18x20": _ds18x20,
    "hcsr04": _hcsr04,
    "hx711": _hx711,
    "ina219": _ina219,
    "internal": _internal,
    "pms5003": _pms5003,
    "pms5003st": _pms5003,
    "pulses": _pulses,
    "scd4x": _scd4x,
    "sgp40": _sgp40,
    "sht3x": _climate(FakeSht3x, 0, 100),
    "sht4x": _climate(FakeSht4x, -6, 125),
    "soil": _at_adc(_soil_uv),
    "supply": _supply,
}
