"""SGP40 on I2C: the raw signal of the gas sensor, lower in worse air."""

from firmware.sensor_types.shared import I2C, i2c

FIELDS = (("voc_raw", None, 0, 65535, 0, None),)
LEAST_S = 1
KEYS = I2C + (
    # Its address on the bus, the only one.
    ("address", "address", 0x59, (0x59,)),
)


def recipe(one):
    return "sgp40:SGP40", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "data sheet SGP40, version 1.2, table 2, at 3.3 V: the heater stays on in between"
# Its serial number.
SCAN = (b"\x36\x82", 1, 9, "SGP40")


def draw(one, supply_v):
    return "SGP40", 30, (2.6, 3), (2600, 3000)
