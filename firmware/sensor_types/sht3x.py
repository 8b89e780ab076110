"""SHT30, SHT31 and SHT35 on I2C: degrees Celsius, percent relative humidity."""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

FIELDS = (temperature(-40, 125), humidity())
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus: 68 ("0x44") with ADDR low, 69 ("0x45") with ADDR high.
    ("address", "address", 0x44, (0x44, 0x45)),
)


def recipe(one):
    return "sht3x:SHT3x", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet SHT3x-DIS, section 2.1: typical (0.8 mA in version 4, 0.6 mA in later ones), most"
)
# Its status.
SCAN = (b"\xf3\x2d", 1, 3, "SHT30, SHT31 or SHT35")


def draw(one, supply_v):
    return "SHT3x", 16, (0.6, 1.5), (0.2, 2)
