"""AHT20, AHT21 and AHT30 on I2C: degrees Celsius, percent relative humidity."""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

# An AHT21 and an AHT30 measure up to 120 degrees, an AHT20 up to 85.
FIELDS = (temperature(-40, 120), humidity())
LEAST_S = 1
KEYS = I2C + (
    # Its address on the bus, the only one.
    ("address", "address", 0x38, (0x38,)),
)


def recipe(one):
    return "aht20:AHT20", i2c(one), one["address"], {"time": None}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "data sheet AHT20, version 1.0 of May 2021, page 3, table 3: typical; asleep at most"


def draw(one, supply_v):
    return "AHT20", 80, (0.98, 0.98), (0.25, 0.25)
