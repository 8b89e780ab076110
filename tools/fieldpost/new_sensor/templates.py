"""What a new sensor type begins with: a chip on I2C that measures when it is told to.

`NAME` is the type, `CLASS` its driver's class. What is to be filled in says FILL IN.
"""

DECLARATION = '''"""CLASS on I2C: FILL IN what it measures, in which units."""

from firmware.sensor_types.shared import I2C, i2c, temperature

# FILL IN: what the device can measure, by its data sheet. Nothing outside is ever published.
FIELDS = (temperature(-40, 125),)
LEAST_S = 1
KEYS = I2C + (
    # FILL IN: which address is which pin's doing.
    ("address", "address", 0x48, (0x48, 0x49)),
)


def recipe(one):
    return "NAME:CLASS", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "FILL IN: data sheet, version and page, or 'not known' if `draw` returns None"
# FILL IN: if the chip has a number of its own, SCAN (in shared.py) says how a scan asks for it.


def draw(one, supply_v):
    # FILL IN: ms that a measurement takes, (least, most) mA meanwhile, (least, most) uA after it.
    return "CLASS", 16, (0.1, 0.2), (1, 2)
'''

DRIVER = '''"""FILL IN maker, CLASS: what it measures on I2C.

Data sheet: FILL IN title and version.
"""

from micropython import const

_REGISTER = const(0x00)
_MEASUREMENT_MS = const(16)


class CLASS:
    """One chip on an I2C bus.

    Field: temperature in degC to 0.01. Raises OSError if the chip does not answer.
    """

    FIELDS = ("temperature",)

    # FILL IN: the address, as the declaration has it.
    def __init__(self, i2c, address=0x48):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(2)

    def start(self):
        """Start one measurement; returns the ms until `read()` has it."""
        # FILL IN: what starts it. If the chip measures by itself, nothing.
        self._i2c.writeto_mem(self._address, _REGISTER, b"\\x00")
        return _MEASUREMENT_MS

    def read(self):
        """(temperature,). FILL IN the formula, in whole numbers: a board has single precision."""
        self._i2c.readfrom_mem_into(self._address, _REGISTER, self._buffer)
        raw = self._buffer[0] << 8 | self._buffer[1]
        if raw & 0x8000:
            raw -= 0x10000
        return (raw / 100,)
'''

TEST = '''"""The CLASS driver: FILL IN what it promises."""

import pytest
from NAME import CLASS

from emulated.i2c import FakeI2C

# FILL IN: the driver's own, unless it is told another.
ADDRESS = 0x48


class FakeCLASS:
    """FILL IN: the chip as far as its data sheet tells what it answers."""

    def __init__(self, raw=2500):
        self.raw = raw

    def write_registers(self, at, data):
        pass

    def read_registers(self, at, count):
        return (self.raw & 0xFFFF).to_bytes(2, "big")[:count]


class Bench:
    def __init__(self, raw=2500):
        self.bus = FakeI2C()
        self.chip = self.bus.devices[ADDRESS] = FakeCLASS(raw)
        self.driver = CLASS(self.bus)

    def measure(self):
        self.driver.start()
        return self.driver.read()


# FILL IN: the examples of the data sheet.
@pytest.mark.parametrize(("raw", "celsius"), [(2500, 25.0), (0, 0.0), (-1, -0.01)])
def test_the_examples_of_the_data_sheet_come_out(raw, celsius):
    assert Bench(raw).measure() == (celsius,)


def test_a_chip_that_is_gone_is_an_error():
    bench = Bench()
    del bench.bus.devices[ADDRESS]
    with pytest.raises(OSError, match="19"):
        bench.measure()
'''

SECTION = """## NAME
CLASS. Wire VCC to 3.3 V, GND, SCL and SDA. FILL IN: addresses, and what one must know of it.

```json
{"type": "NAME", "scl": 22, "sda": 21}
```
```json
{"temperature":25}
```

"""
