"""A fake I2C bus for devices that take commands instead of registers, and such devices on it.

Runs in CPython and MicroPython. Honest where drivers go wrong: a device acknowledges no read
before its result is there, a result can be read once, and what a device was told is gone with its
power.
"""

from fakes.i2c import FakeI2C


class CommandI2C(FakeI2C):
    """As FakeI2C, for devices with `write(data)` and `read(count)` too, which may raise
    NoAnswer."""

    def writeto(self, address, data):
        device = self._device(address)
        if not hasattr(device, "write"):
            return super().writeto(address, data)
        try:
            device.write(bytes(data))
        except NoAnswer:
            raise OSError(self.absent_errno)
        return len(data) + 1

    def readfrom_into(self, address, buffer):
        try:
            buffer[:] = self._device(address).read(len(buffer))
        except NoAnswer:
            raise OSError(self.absent_errno)


class NoAnswer(Exception):
    """The device is there and does not acknowledge."""


def crc8(data):
    """CRC-8 as Sensirion and Aosong use it, by long division in whole numbers: another way than
    the drivers'."""
    value = int.from_bytes(data, "big") << 8 ^ 0xFF << 8 * len(data)
    for bit in range(8 * len(data) - 1, -1, -1):
        if value >> bit + 8 & 1:
            value ^= 0x131 << bit
    return value


def words(*values):
    """The bytes of 16-bit words, each with its checksum."""
    made = b""
    for value in values:
        two = bytes((value >> 8, value & 0xFF))
        made += two + bytes((crc8(two),))
    return made


class FakeCommands:
    """A device that answers to whole commands. `commands` maps the bytes of a command to (ms until
    its answer is there, function that makes the answer or does the deed)."""

    def __init__(self, now_ms, commands):
        self.now_ms = now_ms
        self.commands = commands
        self.corrupt = False
        self._pending = None
        self._ready_ms = 0

    def power_cycle(self):
        self._pending = None

    def write(self, data):
        if self._pending is not None and self.now_ms() < self._ready_ms:
            raise NoAnswer
        if data not in self.commands:
            raise NoAnswer
        wait_ms, make = self.commands[data]
        self._pending = make()
        self._ready_ms = self.now_ms() + wait_ms

    def read(self, count):
        if self._pending is None or self.now_ms() < self._ready_ms:
            raise NoAnswer
        answer, self._pending = self._pending, None
        if self.corrupt:
            answer = answer[:1] + bytes((answer[1] ^ 1,)) + answer[2:]
        # Past its end a device leaves the line high.
        return answer[:count] + b"\xff" * (count - len(answer))


class FakeSht3x(FakeCommands):
    """Single shot at high repeatability alone; the raw words are the test's."""

    def __init__(self, now_ms, temperature=0x6666, humidity=0x8000):
        super().__init__(now_ms, {b"\x24\x00": (15, self._measure)})
        self.raw = (temperature, humidity)

    def _measure(self):
        return words(*self.raw)


class FakeSht4x(FakeCommands):
    def __init__(self, now_ms, temperature=0x6666, humidity=0x8000):
        super().__init__(now_ms, {b"\xfd": (8, self._measure)})
        self.raw = (temperature, humidity)

    def _measure(self):
        return words(*self.raw)
