"""Which pins of a chip a scan may touch: by itself, and when a person names them."""

from dataclasses import dataclass

from fieldpost.errors import CommandError


@dataclass(frozen=True)
class Pins:
    """i2c: pairs (scl, sda) to look at unasked. onewire: pins likewise. taken: pin -> by what,
    for pins that are never touched. highest: the last pin there is."""

    i2c: tuple[tuple[int, int], ...]
    onewire: tuple[int, ...]
    taken: dict[int, str]
    highest: int


def _taken(*groups: tuple[str, tuple[int, ...]]) -> dict[int, str]:
    return {pin: by for by, pins in groups for pin in pins}


_FLASH, _USB, _CONSOLE = "the flash", "USB", "the console"
_INPUT = "its being an input only"
_RP2 = Pins(
    tuple((sda + 1, sda) for sda in (4, 0, 2, 6, 8, 10, 12, 14, 16, 18, 20, 26)),
    (22, 28, *range(22), 26, 27),
    _taken(("the radio or the board's supply", (23, 24, 25, 29))),
    29,
)
# Without what selects how the chip starts, flash, PSRAM, console and USB. First in each list: what
# is on the board's edge as its bus, by MicroPython's own default or the maker's.
_CHIPS = {
    "RP2040": _RP2,
    "RP2350": _RP2,
    "ESP32": Pins(
        ((22, 21), (19, 18), (18, 19), (25, 26)),
        (4, 27, 13, 14, 18, 19, 21, 22, 23, 25, 26, 32, 33),
        _taken((_CONSOLE, (1, 3)), (_FLASH, tuple(range(6, 12))), (_INPUT, tuple(range(34, 40)))),
        39,
    ),
    "ESP32-S2": Pins(
        ((9, 8), (35, 33)),
        (*range(1, 19), 21, *range(33, 43)),
        _taken((_USB, (19, 20)), (_FLASH, tuple(range(26, 33))), (_INPUT, (46,))),
        46,
    ),
    "ESP32-S3": Pins(
        ((9, 8), (6, 5)),
        (1, 2, *range(4, 19), 21),
        _taken((_USB, (19, 20)), (_FLASH, tuple(range(26, 33)))),
        48,
    ),
    "ESP32-C3": Pins(
        ((7, 6), (5, 4), (9, 8)),
        (0, 1, 3, 4, 5, 6, 7, 10),
        _taken((_FLASH, tuple(range(11, 18))), (_USB, (18, 19))),
        21,
    ),
    "ESP32-C6": Pins(
        ((7, 6), (23, 22)),
        (0, 1, 2, 3, 6, 7, 22, 23),
        _taken((_USB, (12, 13)), (_FLASH, tuple(range(24, 31)))),
        30,
    ),
}


def of(chip: str | None) -> Pins:
    """A chip's pins; none unasked of a chip that is not known here."""
    return _CHIPS.get(chip or "", Pins((), (), {}, 63))


def check(chip: str | None, pin: int) -> None:
    """Raise CommandError if a pin that a person named must not be driven."""
    pins = of(chip)
    if pin > pins.highest:
        raise CommandError(f"{chip} has no pin {pin}: the last is {pins.highest}")
    if pin in pins.taken:
        raise CommandError(f"pin {pin} of {chip} cannot be used, because of {pins.taken[pin]}")


def bus_of(chip: str | None, scl: int, sda: int) -> int:
    """The number of the I2C peripheral behind a pair. CommandError if it has none there.

    An RP2's pins are fixed to one of two, in turn (RP2040 data sheet, section 1.4.3).
    """
    if not (chip or "").startswith("RP2"):
        return 0
    if scl % 2 == 0 or sda % 2 == 1 or scl // 2 % 2 != sda // 2 % 2:
        raise CommandError(
            f"GP{scl} and GP{sda} are no clock and data of one I2C bus on this chip. SDA has an "
            "even number and SCL an odd one, such as --sda 4 --scl 5."
        )
    return sda // 2 % 2
