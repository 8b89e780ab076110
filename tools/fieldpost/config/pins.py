"""What a chip's pins can do, and whether a node's configuration asks more of them.

On the host alone: the table would take two kilobytes of a board's memory to say before the first
reading what MicroPython says at it; there, only what would stop the board itself is refused
(`taken_pins` in firmware/board/).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fieldpost.board import names
from fieldpost.board.find import chip_of
from fieldpost.board.link import BoardLink
from fieldpost.errors import Usage
from firmware.config import check as schema_check
from firmware.config import check_wake_pins, keys_sensors

_LINK_S = 5.0
_STRAPPING = "decides at each start how the chip boots; what is wired to it must not hold it then"
_FLASH = "is the flash memory's"
_PSRAM = "is the PSRAM's on modules that have it, and the flash memory's on some others"
_CONSOLE = "is the console's, over which a board is deployed and watched"
_USB = "is the USB port's"
_WIFI_ADC = "is measured by the converter (ADC2) that Wi-Fi takes"
_RADIO = "belongs to the radio"


@dataclass(frozen=True)
class Chip:
    """taken, cautions: why a pin must not, or had better not, be used. adc_taken: the same of pins
    as analogue inputs. The functions say which pins a bus or UART can have: all, if there is none.
    """

    name: str
    gpios: frozenset[int]
    adc: frozenset[int]
    adc_taken: dict[int, str] = field(default_factory=dict)
    taken: dict[int, str] = field(default_factory=dict)
    cautions: dict[int, str] = field(default_factory=dict)
    input_only: frozenset[int] = frozenset()
    # Neither pull-up nor pull-down.
    without_pull: frozenset[int] = frozenset()
    # (SCL, SDA): what is on the board's edge as its bus comes first, by MicroPython's own default
    # or the maker's.
    i2c_pins: tuple[tuple[int, int], ...] = ()
    buses: int = 2
    uarts: int = 2
    may_be_sda: Callable[[int, int], bool] | None = None
    may_be_scl: Callable[[int, int], bool] | None = None
    may_be_tx: Callable[[int, int], bool] | None = None
    may_be_rx: Callable[[int, int], bool] | None = None


def _pins(*parts: int | range) -> frozenset[int]:
    return frozenset(
        pin for part in parts for pin in (part if isinstance(part, range) else (part,))
    )


def _each(pins: frozenset[int], why: str) -> dict[int, str]:
    return dict.fromkeys(sorted(pins), why)


def _of_uart(uart: int, pin: int) -> bool:
    return (pin + 4 & 8) >> 3 == uart


def _rp2(name: str, tx_step: int) -> Chip:
    """A Pico W or Pico 2 W. MicroPython: ports/rp2/machine_i2c.h, machine_uart.c; Pico W data
    sheet 2.1 for the radio's pins."""
    return Chip(
        name,
        gpios=_pins(range(30)),
        adc=_pins(26, 27, 28),
        taken={
            23: _RADIO + " (its power)",
            24: _RADIO + " (its data)",
            25: _RADIO + " (its chip select)",
            29: _RADIO + ' (its clock, and the supply\'s divider: see the type "supply")',
        },
        i2c_pins=tuple((sda + 1, sda) for sda in (4, 0, 2, 6, 8, 10, 12, 14, 16, 18, 20, 26)),
        may_be_sda=lambda bus, pin: pin & 1 == 0 and pin >> 1 & 1 == bus,
        may_be_scl=lambda bus, pin: pin & 1 == 1 and pin >> 1 & 1 == bus,
        may_be_tx=lambda uart, pin: pin % tx_step == 0 and _of_uart(uart, pin),
        may_be_rx=lambda uart, pin: pin % tx_step == 1 and _of_uart(uart, pin),
    )


# The ESP32s: which pins there are and which converter reads them by MicroPython's
# ports/esp32/machine_pin.h and machine_adc.c; what else they are for by ESP-IDF's 'GPIO & RTC
# GPIO' and 'ADC Oneshot Mode Driver' of each chip.
CHIPS = {
    chip.name: chip
    for chip in (
        Chip(
            "ESP32",
            gpios=_pins(range(24), range(25, 28), range(32, 40)),
            adc=_pins(range(32, 40)),
            adc_taken=_each(_pins(0, 2, 4, range(12, 16), range(25, 28)), _WIFI_ADC),
            taken=_each(_pins(range(6, 12)), _FLASH),
            cautions=_each(_pins(0, 2, 5, 12, 15), _STRAPPING)
            | _each(_pins(16, 17), _PSRAM)
            | _each(_pins(1, 3), _CONSOLE)
            | {20: "is there on the ESP32-PICO-V3 alone"},
            input_only=_pins(range(34, 40)),
            without_pull=_pins(range(34, 40)),
            i2c_pins=((22, 21), (19, 18), (18, 19), (25, 26)),
            uarts=3,
        ),
        Chip(
            "ESP32-S2",
            gpios=_pins(range(22), range(26, 47)),
            adc=_pins(range(1, 11)),
            adc_taken=_each(_pins(range(11, 21)), _WIFI_ADC),
            taken=_each(_pins(range(27, 33)), _FLASH),
            cautions=_each(_pins(0, 45, 46), _STRAPPING)
            | _each(_pins(19, 20), _USB)
            | {26: _PSRAM, 43: _CONSOLE, 44: _CONSOLE},
            input_only=_pins(46),
            i2c_pins=((9, 8), (35, 33)),
        ),
        Chip(
            "ESP32-S3",
            gpios=_pins(range(22), range(26, 49)),
            adc=_pins(range(1, 11)),
            adc_taken=_each(_pins(range(11, 21)), _WIFI_ADC),
            taken=_each(_pins(range(27, 33)), _FLASH),
            cautions=_each(_pins(0, 3, 45, 46), _STRAPPING)
            | _each(_pins(19, 20), _USB)
            | _each(_pins(26, range(33, 38)), _PSRAM)
            | _each(_pins(43, 44), _CONSOLE),
            i2c_pins=((9, 8), (6, 5)),
            uarts=3,
        ),
        Chip(
            "ESP32-C3",
            gpios=_pins(range(22)),
            adc=_pins(range(5)),
            adc_taken={5: "is measured by a converter (ADC2) whose results are wrong (errata)"},
            taken=_each(_pins(range(11, 18)), _FLASH) | _each(_pins(18, 19), _USB),
            cautions=_each(_pins(2, 8, 9), _STRAPPING) | _each(_pins(20, 21), _CONSOLE),
            i2c_pins=((7, 6), (5, 4), (9, 8)),
            buses=1,
        ),
        Chip(
            "ESP32-C6",
            gpios=_pins(range(31)),
            adc=_pins(range(7)),
            taken=_each(_pins(range(24, 31)), _FLASH) | _each(_pins(12, 13), _USB),
            cautions=_each(_pins(4, 5, 8, 9, 15), _STRAPPING) | _each(_pins(16, 17), _CONSOLE),
            i2c_pins=((7, 6), (23, 22)),
        ),
        _rp2("RP2040", tx_step=4),
        _rp2("RP2350", tx_step=2),
    )
}
_BOARDS = {"pico-w": "RP2040", "pico-2-w": "RP2350"}

_ANY_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}
_WIRES = ("pin", "adc", "scl", "sda")


def chip_named(board: str) -> Chip:
    """The chip of a board as people or MicroPython call it: "pico_w", "esp32-c3",
    "ESP32_GENERIC_S3". Raises CommandError."""
    chips = {**CHIPS, **{name: CHIPS[chip] for name, chip in _BOARDS.items()}}
    if name := names.same(names.without_variant(board), chips):
        return chips[name]
    raise Usage(f"the pins of {board} are not known. Known: {', '.join(boards())}")


def boards() -> list[str]:
    """The boards whose pins are known, as docs/ and help spell them."""
    return [*_BOARDS, *map(str.lower, CHIPS)]


def chip_or_none(board: Any) -> Chip | None:
    """The same, and None for whatever names no board that is known."""
    try:
        return chip_named(board) if board and isinstance(board, str) else None
    except Usage:
        return None


def chip_on(link: BoardLink) -> Chip | None:
    """The chip of a connected board, None if its pins are not known."""
    said = link.exec("import sys\nprint(sys.implementation._machine)", _LINK_S)
    return chip_of_machine(said.decode(errors="replace").strip())


def chip_of_machine(machine: str) -> Chip | None:
    """That of MicroPython's name of the board, None if its pins are not known."""
    return CHIPS.get(chip_of(machine) or "")


def check(settings: dict[str, Any], chip: Chip) -> tuple[list[str], list[str]]:
    """(errors, warnings) of checked settings on that chip, each with its key and the reason."""
    found = _Check(chip)
    for key in ("awake_pin", "setup_pin"):
        if settings[key] is not None:
            found.wire(key, settings[key])
            found.pull(key, settings[key])
    for i, sensor in enumerate(settings["sensors"]):
        found.sensor(f"sensors[{i}]", sensor)
    if settings["mode"] == "duty_cycle":
        listed = [(f"sensors[{i}]", one) for i, one in enumerate(settings["sensors"])]
        check_wake_pins.check(listed, settings["low_battery"], found.errors, chip.name)
    return found.errors, found.warnings


def of_config(config: dict[str, Any], chip: Chip | None) -> tuple[list[str], list[str]]:
    """The same of a config.json by itself. Nothing is said of one that has other errors, nor
    without a chip."""
    settings, _ = schema_check.check(copy.deepcopy(config), _ANY_SECRETS)
    return check(settings, chip) if settings and chip else ([], [])


class _Check:
    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def sensor(self, path: str, sensor: dict[str, Any]) -> None:
        declared = keys_sensors.declaration(sensor["type"])
        drives = getattr(declared, "DRIVES", ())
        pulled_up = getattr(declared, "PULLED_UP", ())
        for row in declared.KEYS:
            key, wire = row[:2]
            if wire not in _WIRES or sensor[key] is None:
                continue
            here, pin = f"{path}.{key}", sensor[key]
            if not self.wire(here, pin):
                continue
            if wire == "adc":
                self._adc(here, pin)
            is_driven = wire in ("scl", "sda") or key in drives
            if is_driven and pin in self._chip.input_only:
                self.errors.append(f"{here}: {self._on(pin)} is an input only, not to be driven")
            if key in pulled_up and pin in self._chip.without_pull:
                text = f"{here}: {self._on(pin)} has no pull-up of its own"
                self.warnings.append(text + ": wire 10 kOhm from it to 3.3 V")
        if sensor.get("pull"):
            self.pull(path + ".pull", sensor["pin"])
        if sensor.get("scl") is not None and sensor.get("sda") is not None:
            self._bus(path, sensor)
        if sensor.get("uart") is not None:
            self._uart(path, sensor)

    def wire(self, here: str, pin: int) -> bool:
        """Whether the pin can be used at all."""
        chip = self._chip
        if pin not in chip.gpios:
            self.errors.append(f"{here}: the {chip.name} has no pin {pin}")
            return False
        if pin in chip.taken:
            self.errors.append(f"{here}: {self._on(pin)} {chip.taken[pin]}")
            return False
        if pin in chip.cautions:
            self.warnings.append(f"{here}: {self._on(pin)} {chip.cautions[pin]}")
        return True

    def pull(self, here: str, pin: int) -> None:
        if pin in self._chip.without_pull:
            text = f"{here}: {self._on(pin)} has neither pull-up nor pull-down: use another pin"
            self.errors.append(text)

    def _adc(self, here: str, pin: int) -> None:
        chip = self._chip
        if pin not in chip.adc:
            why = chip.adc_taken.get(pin, "is no analogue input")
            self.errors.append(f"{here}: {self._on(pin)} {why}: use one of {_listed(chip.adc)}")

    def _bus(self, path: str, sensor: dict[str, Any]) -> None:
        bus, chip = sensor["bus"], self._chip
        if bus >= chip.buses:
            self.errors.append(f"{path}.bus: the {chip.name} has no I2C bus {bus}")
            return
        self._function(f"{path}.scl", sensor["scl"], f"SCL of I2C bus {bus}", bus, chip.may_be_scl)
        self._function(f"{path}.sda", sensor["sda"], f"SDA of I2C bus {bus}", bus, chip.may_be_sda)

    def _uart(self, path: str, sensor: dict[str, Any]) -> None:
        uart, chip = sensor["uart"], self._chip
        if uart >= chip.uarts:
            self.errors.append(f"{path}.uart: the {chip.name} has no UART {uart}")
            return
        if uart == 0 and chip.name.startswith("ESP32"):
            self.warnings.append(f"{path}.uart: UART 0 of the {chip.name} {_CONSOLE}")
        self._function(f"{path}.tx", sensor["tx"], f"TX of UART {uart}", uart, chip.may_be_tx)
        self._function(f"{path}.rx", sensor["rx"], f"RX of UART {uart}", uart, chip.may_be_rx)

    def _function(
        self, here: str, pin: int, what: str, number: int, fits: Callable[[int, int], bool] | None
    ) -> None:
        free = self._chip.gpios - self._chip.taken.keys()
        if fits is None or pin not in free or fits(number, pin):
            return
        fitting = _listed(frozenset(one for one in free if fits(number, one)))
        self.errors.append(f"{here}: {self._on(pin)} cannot be {what}: use one of {fitting}")

    def _on(self, pin: int) -> str:
        return f"pin {pin} of the {self._chip.name}"


def _listed(pins: frozenset[int]) -> str:
    return ", ".join(str(pin) for pin in sorted(pins))
