"""A device on I2C of which nothing is known but its registers, for a driver of one's own."""

from emulated.i2c_commands import CommandI2C


class Registers:
    """`memory` maps a register to its bytes, which may be as many as the chip has in one; a read
    that is longer goes on with the next register. What is not in it is a zero. `told`: registers
    in which the chip has what it measures, whatever a driver writes there."""

    def __init__(self, memory=None):
        self.memory = memory if memory is not None else {}
        self.told = set()

    def tell(self, register, data):
        self.memory[register] = data
        self.told.add(register)

    def write_registers(self, at, data):
        if at not in self.told:
            self.memory[at] = bytes(data)

    def read_registers(self, at, count):
        found = b""
        while len(found) < count:
            found += self.memory.get(at, b"\x00")
            at += 1
        return found[:count]


class DeskI2C(CommandI2C):
    """`anywhere`: who answers at every address that no other device has; None: nobody."""

    def __init__(self):
        super().__init__({})
        self.anywhere = None

    def _device(self, address):
        if address not in self.devices and self.anywhere and not self.stuck:
            return self.anywhere
        return super()._device(address)
