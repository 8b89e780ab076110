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
