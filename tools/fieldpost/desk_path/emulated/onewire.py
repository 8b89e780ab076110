"""A fake 1-Wire bus, bit by bit, and what the frozen module `onewire` offers on top of it.

`FakeWire` stands in the place of the pin; its methods are those of the C module `_onewire`, so on
a real board the genuine `onewire` runs on it too. Runs in CPython and MicroPython.
"""

SEARCH_ROM = 0xF0
MATCH_ROM = 0x55
SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCHPAD = 0xBE
_WRITE_SCRATCHPAD = 0x4E


def crc8(data):
    crc = 0
    for byte in data:
        for bit in range(8):
            feedback = (crc ^ byte >> bit) & 1
            crc >>= 1
            if feedback:
                crc ^= 0x8C
    return crc


def _bit(data, at):
    """Bit `at` as the wire carries it, least significant first; ones past the end."""
    return data[at >> 3] >> (at & 7) & 1 if at >> 3 < len(data) else 1


class FakeThermometer:
    """A DS18B20 (family 0x28) or DS18S20 (0x10) whose bath is at `celsius`."""

    def __init__(self, now_ms, serial, celsius=20.0, family=0x28):
        self._now_ms = now_ms
        rom = bytes([family]) + serial.to_bytes(6, "little")
        self.rom = rom + bytes([crc8(rom)])
        self.celsius = celsius
        self.present = True
        self.corrupt = False
        self.ignores_resolution = False
        self.power_cycle()

    def power_cycle(self):
        self._raw = 0x00AA if self.rom[0] == 0x10 else 0x0550
        # The device's own memory, copied at power-on: alarm high, alarm low, 12 bits.
        self._alarms = bytearray(b"\x4b\x46")
        self._config = 0xFF if self.rom[0] == 0x10 else 0x7F
        self._reserved = 0x0C
        self._ready_ms = None

    def conversion_ms(self):
        return 750 if self.rom[0] == 0x10 else 750 >> 3 - (self._config >> 5 & 3)

    def convert(self):
        self._ready_ms = self._now_ms() + self.conversion_ms()

    def busy(self):
        if self._ready_ms is None:
            return False
        if self._now_ms() < self._ready_ms:
            return True
        self._ready_ms = None
        sixteenths = (
            int(self.celsius * 16 + 0.5) if self.celsius >= 0 else -int(-self.celsius * 16 + 0.5)
        )
        if self.rom[0] == 0x10:
            # Half degrees, and the count that remains of 16: t = half - 1/4 + (16 - remain) / 16.
            self._raw = (sixteenths + 4 >> 4) << 1
            self._reserved = 16 - (sixteenths - (self._raw >> 1) * 16 + 4)
        else:
            # The bits below the resolution are undefined: here, ones.
            undefined = (1 << 3 - (self._config >> 5 & 3)) - 1
            self._raw = sixteenths | undefined
            self._reserved = 0x10 - (sixteenths & 0x0F)
        return False

    def scratchpad(self):
        self.busy()
        head = bytes((self._raw & 0xFF, self._raw >> 8 & 0xFF)) + bytes(self._alarms)
        pad = head + bytes((self._config, 0xFF, self._reserved, 0x10))
        crc = crc8(pad)
        return pad + bytes((crc ^ 0x20 if self.corrupt else crc,))

    def write_byte(self, at, byte):
        if at < 2:
            self._alarms[at] = byte
        elif self.rom[0] == 0x28 and not self.ignores_resolution:
            self._config = byte & 0x60 | 0x1F


class FakeWire:
    """The wired AND of `devices`; `held_low` is a short circuit to ground."""

    OPEN_DRAIN = PULL_UP = 1

    def __init__(self, devices=()):
        self.devices = list(devices)
        self.held_low = False
        self._state = "idle"

    def init(self, *arguments):
        pass

    def reset(self):
        self._selected = [device for device in self.devices if device.present]
        self._state = "rom"
        self._received = []
        self._at = 0
        # A line that is low looks like the presence pulse.
        return self.held_low or bool(self._selected)

    def readbit(self):
        if self.held_low:
            return 0
        if self._state == "search":
            bits = [_bit(device.rom, self._at) ^ self._complement for device in self._selected]
            self._complement ^= 1
        elif self._state == "read":
            bits = [_bit(device.scratchpad(), self._at) for device in self._selected]
            self._at += 1
        elif self._state == "convert":
            bits = [not device.busy() for device in self._selected]
        else:
            bits = []
        return 1 if all(bits) else 0

    def writebit(self, value):
        if self.held_low or self._state == "idle":
            return
        if self._state == "search":
            self._selected = [d for d in self._selected if _bit(d.rom, self._at) == value]
            self._at += 1
            self._complement = 0
            if self._at == 64:
                self._state = "function"
            return
        self._received.append(value & 1)
        if len(self._received) == 8:
            byte = sum(bit << i for i, bit in enumerate(self._received))
            self._received = []
            self._byte(byte)

    def _byte(self, byte):
        if self._state == "rom":
            self._at = self._complement = 0
            states = {SEARCH_ROM: "search", MATCH_ROM: "match", SKIP_ROM: "function"}
            self._state = states.get(byte, "idle")
        elif self._state == "match":
            self._selected = [d for d in self._selected if d.rom[self._at] == byte]
            self._at += 1
            if self._at == 8:
                self._state = "function"
        elif self._state == "function":
            self._at = 0
            states = {_READ_SCRATCHPAD: "read", _WRITE_SCRATCHPAD: "write", _CONVERT: "convert"}
            self._state = states.get(byte, "idle")
            if byte == _CONVERT:
                for device in self._selected:
                    device.convert()
        elif self._state == "write":
            for device in self._selected:
                device.write_byte(self._at, byte)
            self._at += 1

    def readbyte(self):
        return sum(self.readbit() << i for i in range(8))

    def writebyte(self, value):
        for i in range(8):
            self.writebit(value >> i & 1)


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = SEARCH_ROM
    MATCH_ROM = MATCH_ROM
    SKIP_ROM = SKIP_ROM

    def __init__(self, pin):
        self.pin = pin
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)

    def reset(self, required=False):
        presence = self.pin.reset()
        if required and not presence:
            raise OneWireError
        return presence

    def readbit(self):
        return self.pin.readbit()

    def readbyte(self):
        return self.pin.readbyte()

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def writebyte(self, value):
        self.pin.writebyte(value)

    def write(self, buf):
        for byte in buf:
            self.writebyte(byte)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(MATCH_ROM)
        self.write(rom)

    def scan(self):
        """Every ROM code on the bus, without a look at its CRC, as the genuine one does it."""
        found = []
        branches = [[]]  # the bits to choose where devices differ
        while branches and len(found) < 255:
            choices = branches.pop()
            bits = self._search(choices, branches)
            if bits:
                octets = [bits[i : i + 8] for i in range(0, 64, 8)]
                found.append(bytearray(sum(b << i for i, b in enumerate(o)) for o in octets))
        return found

    def _search(self, choices, branches):
        if not self.reset():
            return None
        self.writebyte(SEARCH_ROM)
        bits = []
        conflicts = 0
        for _ in range(64):
            bit, complement = self.pin.readbit(), self.pin.readbit()
            if bit and complement:
                return None
            if not bit and not complement:
                if conflicts < len(choices):
                    bit = choices[conflicts]
                else:
                    if len(branches) < 64:
                        zeros = [0] * (conflicts - len(choices))
                        branches.append(choices + zeros + [1])
                    bit = 0
                conflicts += 1
            self.pin.writebit(bit)
            bits.append(bit)
        return bits

    def crc8(self, data):
        return crc8(data)
