"""SHT40, SHT41 and SHT45 on I2C: degrees Celsius, percent relative humidity."""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

FIELDS = (temperature(-40, 125), humidity())
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus, by the part number: 68 ("0x44") for A, 69 for B, 70 for C.
    ("address", "address", 0x44, (0x44, 0x45, 0x46)),
)


def recipe(one):
    return "sht4x:SHT4x", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet SHT4x, version 6.1, section 3.1: supply current at 25 degC, typical and most"
)
# Its serial number.
SCAN = (b"\x89", 10, 6, "SHT40, SHT41 or SHT45")


def draw(one, supply_v):
    return "SHT4x", 9, (0.32, 0.5), (0.08, 1)
