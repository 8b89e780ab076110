"""Which pins of a chip a scan may touch: by itself, and when a person names them."""

from fieldpost.config import pins
from fieldpost.errors import Usage


def pairs(chip: str | None) -> tuple[tuple[int, int], ...]:
    """Where to look for I2C unasked; nowhere on a chip that is not known."""
    found = pins.CHIPS.get(chip or "")
    return found.i2c_pins if found else ()


def free(chip: str | None) -> list[int]:
    """Where to look for 1-Wire unasked: pins that serve nothing else, not even at the start."""
    found = pins.CHIPS.get(chip or "")
    if not found:
        return []
    return sorted(found.gpios - found.taken.keys() - found.cautions.keys() - found.input_only)


def check(chip: str | None, pin: int) -> None:
    """Raise CommandError if a pin that a person named must not be driven."""
    found = pins.CHIPS.get(chip or "")
    if not found:
        return
    if pin not in found.gpios:
        raise Usage(f"the {chip} has no pin {pin}")
    why = found.taken.get(pin) or found.cautions.get(pin, "")
    if pin in found.input_only:
        why = "is an input only, not to be driven"
    # A caution is for what is wired there for good; but we must not cut our own line.
    elif pin not in found.taken and "console" not in why and "USB" not in why:
        return
    raise Usage(f"pin {pin} of the {chip} {why}: it is not touched")


def bus_of(chip: str | None, scl: int, sda: int) -> int:
    """The number of the I2C peripheral behind a pair. CommandError if it has none there."""
    found = pins.CHIPS.get(chip or "")
    if not found or not found.may_be_scl or not found.may_be_sda:
        return 0
    for bus in range(found.buses):
        if found.may_be_scl(bus, scl) and found.may_be_sda(bus, sda):
            return bus
    raise Usage(
        f"pins {scl} and {sda} are no clock and data of one I2C bus on the {chip}. SDA has an "
        "even number and SCL an odd one, such as --sda 4 --scl 5."
    )
