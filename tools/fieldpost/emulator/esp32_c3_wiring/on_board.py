"""Runs on the emulated board, not here: its module `machine`, in flash as /machine.mpy.

The emulator has no devices for the chip's I2C, its converter and its own thermometer. So what is
asked of them goes over UART 1, at whose other end `wires.py` answers for the emulated sensors. All
else is the image's own module, which a file of its name extends.
"""

import sys

_folders = sys.path[:]
_extended = sys.modules.pop("machine")
# What `import` would have found without this file: newer images have a frozen `machine`.
sys.path[:] = [".frozen"]
import esp32 as _esp32
import machine as _image
from machine import *
from machine import ADC as _ADC
from machine import I2C as _I2C
from machine import UART, Pin
from machine import SoftI2C as _SoftI2C

from errno import ETIMEDOUT
from struct import pack, unpack

sys.path[:] = _folders
sys.modules["machine"] = _extended

# As in wires.py.
_WRITE = 1
_READ = 2
_SCAN = 4
_MEASURE = 5
_LINES = 6
_DIE = 7
_REQUEST = ">BBBBBHH"
_ANSWER = ">BBH"
_ANSWER_BYTES = 4
# The pins of the console, which no sensor can have. The emulator asks for none.
_TX = 21
_RX = 20

_wires = UART(1, 115200, tx=_TX, rx=_RX, timeout=1000)
_number = 0


def __getattr__(name):
    # Of a frozen `machine`, `import *` takes but a part.
    return getattr(_image, name)


def _read(count):
    answer = b""
    while len(answer) < count:
        more = _wires.read(count - len(answer))
        if not more:
            raise OSError(ETIMEDOUT)
        answer += more
    return answer


def _ask(kind, first=0, second=0, address=0, data=b"", count=0):
    global _number
    _number = _number + 1 & 0xFF
    while _wires.any():
        _wires.read()  # the answer to a request that was interrupted
    head = pack(_REQUEST, _number, kind, first, second, address, len(data), count)
    _wires.write(head + bytes(data))
    number, error, size = unpack(_ANSWER, _read(_ANSWER_BYTES))
    answer = _read(size)
    if number != _number:
        raise OSError(ETIMEDOUT)
    if error:
        raise OSError(error)
    return answer


class _Bus:
    """`real`: the port's own bus, which has checked what it was given."""

    def __init__(self, real):
        self._real = real
        # "I2C(0, scl=5, sda=4, freq=400000)"
        text = str(real)
        self._scl, self._sda = [
            int(text[text.index(name) + 4 :].split(",")[0]) for name in ("scl=", "sda=")
        ]

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __repr__(self):
        return str(self._real)

    def scan(self):
        return list(_ask(_SCAN, self._scl, self._sda))

    def writeto(self, addr, buf, stop=True):
        _ask(_WRITE, self._scl, self._sda, addr, buf)
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(one) for one in vector]))

    def readfrom(self, addr, nbytes, stop=True):
        return _ask(_READ, self._scl, self._sda, addr, b"", nbytes)

    def readfrom_into(self, addr, buf, stop=True):
        memoryview(buf)[:] = self.readfrom(addr, len(buf))

    def writeto_mem(self, addr, memaddr, buf, addrsize=8):
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))

    def readfrom_mem(self, addr, memaddr, nbytes, addrsize=8):
        register = memaddr.to_bytes(addrsize // 8, "big")
        return _ask(_WRITE | _READ, self._scl, self._sda, addr, register, nbytes)

    def readfrom_mem_into(self, addr, memaddr, buf, addrsize=8):
        memoryview(buf)[:] = self.readfrom_mem(addr, memaddr, len(buf), addrsize)


class I2C(_Bus):
    def __init__(self, *arguments, **options):
        super().__init__(_I2C(*arguments, **options))


class SoftI2C(_Bus):
    def __init__(self, *arguments, **options):
        super().__init__(_SoftI2C(*arguments, **options))


class ADC:
    ATTN_0DB = _ADC.ATTN_0DB
    ATTN_2_5DB = _ADC.ATTN_2_5DB
    ATTN_6DB = _ADC.ATTN_6DB
    ATTN_11DB = _ADC.ATTN_11DB
    WIDTH_12BIT = _ADC.WIDTH_12BIT

    def __init__(self, *arguments, **options):
        self._real = _ADC(*arguments, **options)
        # "ADC(Pin(0), atten=3)"
        self._pin = int(str(self._real).split("Pin(")[1].split(")")[0])

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __repr__(self):
        return str(self._real)

    def read_uv(self):
        return unpack(">I", _ask(_MEASURE, self._pin))[0]

    def read_u16(self):
        return min(self.read_uv() * 65535 // 3300000, 65535)

    def read(self):
        return self.read_u16() >> 4


class _Esp32:
    """In the place of the module `esp32`, which no file can extend."""

    def __getattr__(self, name):
        return getattr(_esp32, name)

    def mcu_temperature(self):
        # In whole degrees, as the port has it.
        return (unpack(">i", _ask(_DIE))[0] + 50) // 100


def _pull_up():
    """Nothing pulls the emulated lines up; but one that was driven high, and let go, stays so."""
    try:
        lines = _ask(_LINES)
    except OSError:
        return  # Nobody is there, as in a copy of this flash.
    for line in lines:
        Pin(line, Pin.OUT, value=1)
        Pin(line, Pin.IN)


_pull_up()
sys.modules["esp32"] = _Esp32()
