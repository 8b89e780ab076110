"""A fake I2C bus for devices that take commands instead of registers, and such devices on it.

Runs in CPython and MicroPython. Honest where drivers go wrong: a device acknowledges no read
before its result is there, a result can be read once, and what a device was told is gone with its
power.
"""

from emulated.i2c import FakeI2C


class CommandI2C(FakeI2C):
    """As FakeI2C, for devices with `write(data)` and `read(count)` too, which may raise
    NoAnswer. To those a register is what it is on the wire: the first bytes of what is written."""

    def writeto(self, address, data, stop=True):
        device = self._device(address)
        if not hasattr(device, "write"):
            return super().writeto(address, data, stop)
        try:
            device.write(bytes(data))
        except NoAnswer:
            raise OSError(self.absent_errno)
        return len(data) + 1

    def readfrom_into(self, address, buffer, stop=True):
        device = self._device(address)
        if not hasattr(device, "read"):
            super().readfrom_into(address, buffer, stop)
            return
        try:
            buffer[:] = device.read(len(buffer))
        except NoAnswer:
            raise OSError(self.absent_errno)

    def readfrom_mem_into(self, address, register, buffer, addrsize=8):
        if hasattr(self._device(address), "read_registers"):
            super().readfrom_mem_into(address, register, buffer, addrsize)
        else:
            self.writeto(address, register.to_bytes(addrsize // 8, "big"), False)
            self.readfrom_into(address, buffer)

    def writeto_mem(self, address, register, data, addrsize=8):
        if hasattr(self._device(address), "write_registers"):
            super().writeto_mem(address, register, data, addrsize)
        else:
            self.writeto(address, register.to_bytes(addrsize // 8, "big") + bytes(data))


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
    """Single shot at high repeatability, and the status; the raw words are the test's."""

    def __init__(self, now_ms, temperature=0x6666, humidity=0x8000):
        status = (0, lambda: words(0x8010))
        super().__init__(now_ms, {b"\x24\x00": (15, self._measure), b"\xf3\x2d": status})
        self.raw = (temperature, humidity)

    def _measure(self):
        return words(*self.raw)


class FakeSht4x(FakeCommands):
    def __init__(self, now_ms, temperature=0x6666, humidity=0x8000):
        serial = (1, lambda: words(0x0F4A, 0x2B17))
        super().__init__(now_ms, {b"\xfd": (8, self._measure), b"\x89": serial})
        self.raw = (temperature, humidity)

    def _measure(self):
        return words(*self.raw)


class FakeSgp40(FakeCommands):
    """Takes humidity and temperature with good checksums alone."""

    def __init__(self, now_ms, raw=0x7C93):
        command = b"\x26\x0f" + words(0x8000, 0x6666)
        serial = (1, lambda: words(0, 0x01A2, 0x73E1))
        super().__init__(now_ms, {command: (30, self._measure), b"\x36\x82": serial})
        self.raw = raw

    def _measure(self):
        return words(self.raw)


class FakeScd4x(FakeCommands):
    """Measures every 5 s once it was told to, and while it does takes no command but two."""

    def __init__(self, now_ms, co2=500, temperature=0x6667, humidity=0x5EB9):
        commands = {
            b"\x21\xb1": (0, self._start),
            b"\xe4\xb8": (1, self._ready),
            b"\xec\x05": (1, self._measurement),
        }
        super().__init__(now_ms, commands)
        self.raw = (co2, temperature, humidity)
        self._since_ms = None
        self._taken = 0

    def power_cycle(self):
        super().power_cycle()
        self._since_ms = None

    def _start(self):
        if self._since_ms is not None:
            raise NoAnswer
        self._since_ms = self.now_ms()
        self._taken = 0

    def _made(self):
        return 0 if self._since_ms is None else (self.now_ms() - self._since_ms) // 5000

    def _ready(self):
        return words(0x8006 if self._made() > self._taken else 0x8000)

    def _measurement(self):
        if self._made() <= self._taken:
            raise NoAnswer
        self._taken = self._made()
        return words(*self.raw)


class FakeAht20:
    """As delivered it is calibrated or, after a loss of power, not; then it measures nonsense."""

    def __init__(self, now_ms, humidity=0x80000, temperature=0x60000, calibrated=True):
        self.now_ms = now_ms
        self.raw = (humidity, temperature)
        self.calibrated = calibrated
        self.corrupt = False
        self._due_ms = None
        self._calibrated_ms = 0
        self._result = bytes(5)

    def power_cycle(self):
        self.calibrated = False
        self._due_ms = None
        self._result = bytes(5)

    def write(self, data):
        if data == b"\xbe\x08\x00":
            self.calibrated = True
            self._calibrated_ms = self.now_ms() + 10
        elif data == b"\xac\x33\x00":
            self._due_ms = self.now_ms() + 80
            ready = self.calibrated and self.now_ms() >= self._calibrated_ms
            humidity, temperature = self.raw if ready else (0, 0)
            self._result = (humidity << 20 | temperature).to_bytes(5, "big")
        else:
            raise NoAnswer

    def read(self, count):
        busy = self._due_ms is not None and self.now_ms() < self._due_ms
        head = bytes(((0x80 if busy else 0) | 0x10 | (0x08 if self.calibrated else 0),))
        frame = head + (bytes(5) if busy else self._result)
        frame += bytes((crc8(frame) ^ (1 if self.corrupt else 0),))
        return frame[:count]


class FakeBh1750:
    """Asleep it takes no measuring command; the result stays until the next one."""

    def __init__(self, now_ms, counts=0x8390):
        self.now_ms = now_ms
        self.counts = counts
        self._awake = False
        self._result = 0
        self._due_ms = None

    def power_cycle(self):
        self._awake, self._result, self._due_ms = False, 0, None

    def write(self, data):
        if data == b"\x01":
            self._awake = True
        elif data == b"\x20" and self._awake:
            self._due_ms = self.now_ms() + 180

    def read(self, count):
        if self._due_ms is not None and self.now_ms() >= self._due_ms:
            self._result, self._awake, self._due_ms = self.counts, False, None
        return bytes((self._result >> 8, self._result & 0xFF))[:count]


class FakeIna219:
    """Its registers, of two bytes each; measures when the configuration says 'triggered'."""

    def __init__(self, now_ms, shunt=2000, bus=2995):
        self.now_ms = now_ms
        self.shunt = shunt
        self.bus = bus
        self.power_cycle()

    def power_cycle(self):
        self._config = b"\x39\x9f"
        self._due_ms = None

    def write_registers(self, at, data):
        if at == 0:
            self._config = data
            averaged = 2 * 16 * 586 // 1000 + 1
            self._due_ms = self.now_ms() + averaged if data[1] & 7 == 3 else None

    def read_registers(self, at, count):
        ready = self._due_ms is not None and self.now_ms() >= self._due_ms
        known = {0: self._config, 1: self.shunt & 0xFFFF, 2: self.bus << 3 | (2 if ready else 0)}
        value = known.get(at, 0)
        return value if at == 0 else bytes((value >> 8, value & 0xFF))
