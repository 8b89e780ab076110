"""A fake I2C bus with register devices, and a BME280 on it. Runs in CPython and MicroPython.

The bus has what `machine.I2C` has for whole transfers, with the same arguments.

Honest where drivers go wrong: an absent device and a stuck bus raise what `machine.I2C` raises, a
BME280 forgets its settings with its power, shows nothing before the measuring time is over, and
applies the humidity setting only with the next write to its control register.
"""

EIO = 5
ENODEV = 19
ETIMEDOUT = 110


class FakeI2C:
    """`devices` maps an address to an object with `write_registers(at, data)` and
    `read_registers(at, count)`. `absent_errno` is ENODEV on an ESP32, EIO on an RP2."""

    def __init__(self, devices=None, absent_errno=ENODEV):
        self.devices = devices if devices is not None else {}
        self.absent_errno = absent_errno
        self.stuck = False
        self._pointer = {}

    def _device(self, address):
        if self.stuck:
            raise OSError(ETIMEDOUT)
        if address not in self.devices:
            raise OSError(self.absent_errno)
        return self.devices[address]

    def scan(self):
        return [] if self.stuck else sorted(self.devices)

    def readfrom_mem_into(self, address, register, buffer, addrsize=8):
        buffer[:] = self._device(address).read_registers(register, len(buffer))

    def readfrom_mem(self, address, register, count, addrsize=8):
        buffer = bytearray(count)
        self.readfrom_mem_into(address, register, buffer, addrsize=addrsize)
        return bytes(buffer)

    def writeto_mem(self, address, register, data, addrsize=8):
        self._device(address).write_registers(register, bytes(data))

    def writeto(self, address, data, stop=True):
        device = self._device(address)
        if data:
            self._pointer[address] = data[0]
        if len(data) > 1:
            device.write_registers(data[0], bytes(data[1:]))
        return len(data) + 1

    def writevto(self, address, pieces, stop=True):
        return self.writeto(address, b"".join([bytes(one) for one in pieces]), stop)

    def readfrom_into(self, address, buffer, stop=True):
        at = self._pointer.get(address, 0)
        buffer[:] = self._device(address).read_registers(at, len(buffer))

    def readfrom(self, address, count, stop=True):
        buffer = bytearray(count)
        self.readfrom_into(address, buffer, stop)
        return bytes(buffer)


class FakeBme280:
    """Raw values and trimming values are the test's; `now_ms` is the clock it measures by.

    The trimming values for temperature and pressure are those of the worked example in Bosch's
    BMP280 data sheet (BST-BMP280-DS001, section 3.12); those for humidity are a real chip's.
    """

    TEMPERATURE_TRIM = (27504, 26435, -1000)
    PRESSURE_TRIM = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    HUMIDITY_TRIM = (75, 362, 0, 313, 50, 30)

    def __init__(self, now_ms, chip_id=0x60):
        self._now_ms = now_ms
        self.raw_temperature = 519888
        self.raw_pressure = 415148
        self.raw_humidity = 27000
        self.memory = bytearray(256)
        self.memory[0xD0] = chip_id
        self.trim(self.TEMPERATURE_TRIM, self.PRESSURE_TRIM, self.HUMIDITY_TRIM)
        self.power_cycle()

    def trim(self, temperature, pressure, humidity):
        memory = self.memory
        for i, value in enumerate(temperature + pressure):
            memory[0x88 + 2 * i] = value & 0xFF
            memory[0x89 + 2 * i] = value >> 8 & 0xFF
        h1, h2, h3, h4, h5, h6 = humidity
        memory[0xA1] = h1
        memory[0xE1:0xE8] = bytes(
            (
                h2 & 0xFF,
                h2 >> 8 & 0xFF,
                h3,
                h4 >> 4 & 0xFF,
                (h5 & 0x0F) << 4 | h4 & 0x0F,
                h5 >> 4 & 0xFF,
                h6 & 0xFF,
            )
        )

    def power_cycle(self):
        self.memory[0xF2:0xF6] = b"\x00\x00\x00\x00"
        self.memory[0xF7:0xFF] = b"\x80\x00\x00\x80\x00\x00\x80\x00"
        self._humidity_on = False
        self._ready_ms = None

    def write_registers(self, at, data):
        for i, byte in enumerate(data):
            register = at + i
            if register not in (0xE0, 0xF2, 0xF4, 0xF5):
                continue  # read-only, as on the chip
            self.memory[register] = byte
            if register == 0xF4:
                self._humidity_on = self.memory[0xD0] == 0x60 and self.memory[0xF2] & 7 != 0
                if byte & 3 in (1, 2):
                    self._ready_ms = self._now_ms() + (10 if self._humidity_on else 7)

    def read_registers(self, at, count):
        if self._ready_ms is not None:
            if self._now_ms() < self._ready_ms:
                self.memory[0xF3] = 0x08
            else:
                self._finish()
        return self.memory[at : at + count]

    def _finish(self):
        self._ready_ms = None
        self.memory[0xF3] = 0
        control = self.memory[0xF4]
        self.memory[0xF4] = control & 0xFC
        pressure = self.raw_pressure if control >> 2 & 7 else 0x80000
        temperature = self.raw_temperature if control >> 5 else 0x80000
        humidity = self.raw_humidity if self._humidity_on else 0x8000
        for register, raw in ((0xF7, pressure), (0xFA, temperature)):
            self.memory[register] = raw >> 12
            self.memory[register + 1] = raw >> 4 & 0xFF
            self.memory[register + 2] = raw << 4 & 0xF0
        self.memory[0xFD] = humidity >> 8
        self.memory[0xFE] = humidity & 0xFF
