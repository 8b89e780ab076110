"""The emulated bus has a board's transfers, for each kind of chip that can be on it."""

import pytest

from emulated.i2c import FakeI2C
from emulated.i2c_commands import CommandI2C
from emulated.registers import DeskI2C, Registers


class Commanded:
    """A chip that takes commands; it answers with what it was told last."""

    def __init__(self) -> None:
        self.told = b""

    def write(self, data: bytes) -> None:
        self.told = data

    def read(self, count: int) -> bytes:
        return (self.told + bytes(count))[:count]


@pytest.mark.parametrize("make", [FakeI2C, CommandI2C, DeskI2C])
def test_a_chip_of_registers_takes_every_transfer(make: type[FakeI2C]) -> None:
    bus = make()
    bus.devices[0x48] = Registers({1: b"\x01", 2: b"\x02", 3: b"\x03"})
    two = bytearray(2)
    assert bus.writeto(0x48, b"\x01", False) == 2
    assert bus.readfrom(0x48, 2) == b"\x01\x02"
    bus.readfrom_into(0x48, two, False)
    assert two == b"\x01\x02"
    assert bus.readfrom_mem(0x48, 2, 2, addrsize=8) == b"\x02\x03"
    bus.readfrom_mem_into(0x48, 2, two, addrsize=8)
    assert two == b"\x02\x03"
    bus.writevto(0x48, [b"\x02", bytearray(b"\x20"), memoryview(b"")])
    bus.writeto_mem(0x48, 3, b"\x30", addrsize=8)
    assert bus.readfrom_mem(0x48, 1, 3) == b"\x01\x20\x30"


@pytest.mark.parametrize("make", [CommandI2C, DeskI2C])
def test_a_chip_that_takes_commands_takes_every_transfer(make: type[CommandI2C]) -> None:
    bus = make({}) if make is CommandI2C else make()
    chip = bus.devices[0x48] = Commanded()
    two = bytearray(2)
    bus.writeto(0x48, b"\x20\x08", False)
    assert bus.readfrom(0x48, 2) == b"\x20\x08"
    bus.writevto(0x48, [b"\x36", b"\x82"])
    bus.readfrom_into(0x48, two, True)
    assert two == b"\x36\x82"
    assert bus.readfrom_mem(0x48, 0x2C06, 2, addrsize=16) == b"\x2c\x06"
    bus.readfrom_mem_into(0x48, 0x7F, two)
    assert two == b"\x7f\x00"
    bus.writeto_mem(0x48, 0x10, b"\xaa")
    assert chip.told == b"\x10\xaa"
