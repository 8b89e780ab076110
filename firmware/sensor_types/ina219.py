"""INA219 on I2C: volts and amperes of a load."""

from firmware.sensor_types.shared import I2C, i2c

# Its register goes on to 32 V, its pins bear 26 V. The current's range is that of the shunt, which
# the driver minds.
FIELDS = (("voltage", "V", 0, 26, 3, "voltage"), ("current", "A", None, None, 4, "current"))
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus: 64 ("0x40"); one more with A0 bridged, four more with A1.
    ("address", "address", 0x40, (0x40, 0x41, 0x44, 0x45)),
    # The shunt in milliohms: 100 on most modules ("R100").
    ("shunt_mohm", "float", 100.0, 0.1, 100000),
)


def recipe(one):
    return "ina219:INA219", i2c(one), one["address"], one["shunt_mohm"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet SBOS448G, section 7.5; in between, best: powered down, worst: as if it measured, "
    "for the sheet leaves open what a triggered chip does"
)


def draw(one, supply_v):
    return "INA219", 19, (0.7, 1), (6, 1000)


def _chip(answer):
    # Its configuration after power-on, and as the driver leaves it.
    if answer in (b"\x39\x9f", b"\x3e\x63"):
        return "INA219"
    return None if answer[0] & 0xC0 else ""  # two bits that are always 0


SCAN = (b"\x00", 0, 2, _chip)
