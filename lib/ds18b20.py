"""DS18B20 and DS18S20 thermometers on 1-Wire, on the frozen modules `onewire` and `ds18x20`.

Data sheet: Maxim DS18B20, 19-7487 (revision 6). Several devices share one bus and convert at once.
"""

import ds18x20
import onewire

_FAMILY_DS18S20 = 0x10
_ENODEV = 19
_LONGEST_MS = 751
# Written to the two alarm bytes, which nothing else here uses, and never copied to the device's
# own memory: a device that has lost its power since shows other bytes.
_MARK = b"\x55\x0f"
_POWER_ON_RAW = 0x0550  # 85 degC
_POWER_ON_RAW_DS18S20 = 0x00AA
_POWER_ON_RESERVED = 0x0C  # byte 6, which a conversion to exactly 85 degC leaves at 0x10


def parse_id(text):
    """The 8-byte ROM code, with its CRC, of "28-00000a1b2c3d" (Linux writes it so)."""
    rom = bytearray([int(text[:2], 16)])
    serial = text[3:]
    if len(serial) != 12 or text[2] != "-":
        raise ValueError("device id is not like 28-00000a1b2c3d: " + text)
    for at in range(10, -1, -2):
        rom.append(int(serial[at : at + 2], 16))
    rom.append(_crc8(rom))
    return rom


def format_id(rom):
    """The text form of a ROM code, "28-00000a1b2c3d"."""
    return f"{rom[0]:02x}-" + "".join(f"{rom[at]:02x}" for at in range(6, 0, -1))


def _crc8(data):
    """Data sheet, 'CRC generation': x^8 + x^5 + x^4 + 1, least significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


class DS18B20:
    """All thermometers on `bus` (an `onewire.OneWire`), or those in `devices` (ids), no others.

    Field: `temperature` in degC to 0.01 if there is one device; of several,
    `temperature_<serial number>` each, in the order of their ids, so that a name never moves to
    another device. Resolution 9 to 12 bits takes 94, 188, 376 or 751 ms.

    Raises OSError if none answers and ValueError if the only one has no valid value; of several,
    `read()` returns such an exception in that device's place.
    """

    def __init__(self, bus, resolution=12, devices=None):
        self._thermometers = ds18x20.DS18X20(bus)
        self._resolution = resolution
        self._conversion_ms = {}  # of the devices that are set up
        if devices:
            self._roms = [parse_id(text) for text in devices]
        else:
            # The search takes a line held low for 255 devices, which lasts seconds. After a reset
            # nobody pulls the line down unasked.
            if not bus.reset():
                raise OSError(_ENODEV, "no presence pulse")
            if not bus.readbit():
                raise OSError(_ENODEV, "the line is held low")
            # And it checks no CRC: noise makes devices up.
            found = [rom for rom in self._thermometers.scan() if not _crc8(rom)]
            self._roms = sorted(found, key=format_id)
        if not self._roms:
            raise OSError(_ENODEV, "no thermometer on the bus")
        if len(self._roms) == 1:
            self.FIELDS = ("temperature",)
        else:
            self.FIELDS = tuple("temperature_" + format_id(rom)[3:] for rom in self._roms)

    def start(self):
        """Start the conversion of every device at once; returns the ms that it takes."""
        for rom in self._roms:
            if bytes(rom) not in self._conversion_ms:
                try:
                    self._set_up(rom)
                except (OSError, ValueError):
                    # `read()` says what is wrong with it, and the next start tries again.
                    pass
        try:
            self._thermometers.convert_temp()
        except onewire.OneWireError:
            raise OSError(_ENODEV, "no presence pulse")
        return max(self._conversion_ms.get(bytes(rom), _LONGEST_MS) for rom in self._roms)

    def _set_up(self, rom):
        config = self._resolution - 9 << 5 | 0x1F
        try:
            # A DS18S20 has no third byte to write.
            fixed = rom[0] == _FAMILY_DS18S20
            self._thermometers.write_scratch(rom, _MARK if fixed else _MARK + bytes((config,)))
        except onewire.OneWireError:
            raise OSError(_ENODEV, "no presence pulse")
        # Read it back: some copies ignore it.
        took = self._read_scratch(rom)[4] == config and not fixed
        self._conversion_ms[bytes(rom)] = (
            (750 >> 12 - self._resolution) + 1 if took else _LONGEST_MS
        )

    def _read_scratch(self, rom):
        try:
            scratch = self._thermometers.read_scratch(rom)
        except onewire.OneWireError:
            raise OSError(_ENODEV, "no presence pulse")
        except (OSError, MemoryError):
            raise
        except Exception:
            # All that `ds18x20` raises besides is a plain Exception for the CRC. An idle line
            # reads as ones: then nobody answered.
            if self._thermometers.buf == b"\xff" * 9:
                raise OSError(_ENODEV, "no answer from " + format_id(rom))
            raise ValueError("bad checksum from " + format_id(rom))
        # A line held low looks like a presence pulse and then zeros, whose CRC is good.
        if not any(scratch):
            raise OSError(_ENODEV, "the line is held low")
        return scratch

    def read(self):
        """A tuple in the order of FIELDS."""
        if len(self._roms) == 1:
            return (self._read_device(self._roms[0]),)
        values = []
        for rom in self._roms:
            try:
                values.append(self._read_device(rom))
            except (OSError, ValueError) as error:
                values.append(error)
        return tuple(values)

    def _read_device(self, rom):
        try:
            return self._temperature(rom, self._read_scratch(rom))
        except (OSError, ValueError):
            # Whatever it was: it may have lost its settings with its power.
            self._conversion_ms.pop(bytes(rom), None)
            raise

    def _temperature(self, rom, scratch):
        raw = scratch[1] << 8 | scratch[0]
        if raw & 0x8000:
            raw -= 0x10000
        halves = rom[0] == _FAMILY_DS18S20
        # A true 85 degC passes, but for what looks like power-on in every byte.
        if raw == (_POWER_ON_RAW_DS18S20 if halves else _POWER_ON_RAW) and (
            scratch[6] == _POWER_ON_RESERVED or scratch[2:4] != _MARK
        ):
            raise ValueError("power-on value, lost power?")
        if halves:
            # 'Count remain' and 'count per degC' give the finer part (DS18S20 data sheet).
            remain, per_degree = scratch[6:8]
            if not per_degree:
                raise ValueError("count per degC is 0")
            return ((raw >> 1) * 100 - 25 + (per_degree - remain) * 100 // per_degree) / 100
        # Below 12 bits the low bits are undefined (data sheet, 'Measuring temperature').
        undefined = 3 - (scratch[4] >> 5 & 3)
        return ((raw >> undefined << undefined) * 100 + 8 >> 4) / 100
