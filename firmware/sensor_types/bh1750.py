"""BH1750 on I2C: illuminance in lux."""

from firmware.sensor_types.shared import I2C, i2c

FIELDS = (("illuminance", "lx", 0, 54612.5, 1, "illuminance"),)
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus: 35 ("0x23") with ADDR low, 92 ("0x5c") with ADDR high.
    ("address", "address", 0x23, (0x23, 0x5C)),
)


def recipe(one):
    return "bh1750:BH1750", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "data sheet BH1750FVI, 2011.11 rev. D, page 2: supply and power-down current"


def draw(one, supply_v):
    return "BH1750", 180, (0.12, 0.19), (0.01, 1)
