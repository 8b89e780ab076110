"""The emulated sensors at the pins of an emulated Pico W, by the plan of `fieldpost.wired.plan`.

The devices are those of the desk (emulated/sensors.py). Their time is the chip's, so a measurement
takes as long as it does on a real board.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emulated.desk import Desk
from fieldpost.emulator.pico_w_wiring.i2c_peripheral import I2cPeripheral
from fieldpost.emulator.pico_w_wiring.i2c_pins import I2cPins
from fieldpost.emulator.pico_w_wiring.i2c_target import I2cTarget

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_BUSES = (0, 1)
# Of a pin: it belongs to an I2C peripheral (RP2040 datasheet 1.4.3).
_FUNCTION_I2C = 3
# How often what is measured changes, where it does by itself.
_TICK_NANOS = 10_000_000
# The converter: 12 bits of 3.3 V; its inputs are GPIO 26 and on, the supply's third, and the
# chip's temperature (RP2040 datasheet 4.9).
_ADC_MAX = 4095
_ADC_UV = 3_300_000
_ADC_PIN = 26
_SUPPLY, _DIE = 3, 4


class _Time:
    """What the devices know of the time: the chip's clock."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def ticks_ms(self) -> int:
        return int(self._clock.nanos / 1e6)

    def ticks_diff(self, end: int, start: int) -> int:
        return end - start

    def ticks_add(self, ticks: int, delta: int) -> int:
        return ticks + delta


class _Board:
    """What the desk needs of the board that it is."""

    def __init__(self, clock: Any) -> None:
        self.time = _Time(clock)


class Wiring:
    """plan: None wires nothing; then nobody answers."""

    def __init__(self, plan: Mapping[str, Any] | None) -> None:
        self._plan = plan or {"sensors": [], "values": {}, "changes": [], "sample_ms": 1000}

    def attach(self, chip: "RP2040") -> None:
        """Solder it to the board, before that starts."""
        self._chip: Any = chip
        self._desk = Desk(_Board(chip.clock), self._plan)
        pins = {
            one["bus"]: (one["scl"], one["sda"])
            for one in self._plan["sensors"]
            if one.get("scl") is not None
        }
        for number in _BUSES:
            self._wire_i2c(number, pins.get(number))
        for number, pin in self._desk.pins.items():
            self._wire_pin(number, pin)
        self._measure()
        if self._plan["changes"] or self._desk.pins:
            self._alarm = self._chip.clock.create_alarm(self._tick)
            self._alarm.schedule(_TICK_NANOS)

    def _wire_i2c(self, number: int, pins: tuple[int, int] | None) -> None:
        def is_wired() -> bool:
            gpio = self._chip.gpio
            return pins is not None and all(
                gpio[pin].function_select == _FUNCTION_I2C for pin in pins
            )

        target = I2cTarget(self._desk.bus(number))
        I2cPeripheral(self._chip.i2c[number], target, is_wired)
        if pins:
            I2cPins(self._chip, *pins, I2cTarget(self._desk.bus(number)))

    def _wire_pin(self, number: int, pin: Any) -> None:
        gpio = self._chip.gpio[number]
        gpio.set_input_value(bool(pin.level))
        pin.irq(lambda changed: gpio.set_input_value(bool(changed.level)))

    def _tick(self) -> None:
        self._desk.time.ticks_ms()
        self._measure()
        self._alarm.schedule(_TICK_NANOS)

    def _measure(self) -> None:
        """Put what the desk says to the converter's inputs."""
        levels = self._chip.adc.channel_values
        for pin, adc in self._desk.adcs.items():
            if 0 <= pin - _ADC_PIN <= _SUPPLY:
                levels[pin - _ADC_PIN] = _counts(adc.microvolts)
        if self._desk.millivolts is not None:
            levels[_SUPPLY] = _counts(self._desk.millivolts * 1000 / 3)
        if self._desk.die_c is not None:
            levels[_DIE] = _counts((0.706 - (self._desk.die_c - 27) * 0.001721) * 1e6)


def _counts(microvolts: float) -> int:
    return min(max(round(microvolts / _ADC_UV * _ADC_MAX), 0), _ADC_MAX)
