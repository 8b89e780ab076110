"""What the frozen module `ds18x20` offers, on a OneWire. Runs in CPython and MicroPython."""

_FAMILIES = (0x10, 0x22, 0x28)


class DS18X20:
    def __init__(self, onewire):
        self.ow = onewire
        self.buf = bytearray(9)

    def _command(self, command, rom=None):
        self.ow.reset(True)
        if rom is None:
            self.ow.writebyte(self.ow.SKIP_ROM)
        else:
            self.ow.select_rom(rom)
        self.ow.writebyte(command)

    def scan(self):
        return [rom for rom in self.ow.scan() if rom[0] in _FAMILIES]

    def convert_temp(self):
        self._command(0x44)

    def read_scratch(self, rom):
        self._command(0xBE, rom)
        self.ow.readinto(self.buf)
        if self.ow.crc8(self.buf):
            raise Exception("CRC error")
        return self.buf

    def write_scratch(self, rom, buf):
        self._command(0x4E, rom)
        self.ow.write(buf)
