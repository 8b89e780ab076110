"""BME280 on I2C: degrees Celsius, hectopascals, percent relative humidity."""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

FIELDS = (
    temperature(-40, 85),
    ("pressure", "hPa", 300, 1100, 2, "atmospheric_pressure"),
    humidity(),
)
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus: 118 ("0x76") with SDO low, 119 ("0x77") with SDO high.
    ("address", "address", 0x76, (0x76, 0x77)),
)


def recipe(one):
    return "bme280:BME280", i2c(one), one["address"]
