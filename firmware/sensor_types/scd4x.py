"""SCD40, SCD41 and SCD43 on I2C: carbon dioxide in ppm, degrees Celsius, percent relative
humidity.
"""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

FIELDS = (
    # The chip's output, whatever it is specified for (400 to 5000).
    ("co2", "ppm", 0, 40000, 0, "carbon_dioxide"),
    temperature(-40, 120),
    humidity(),
)
LEAST_S = 10
KEYS = I2C + (
    # Its address on the bus, the only one.
    ("address", "address", 0x62, (0x62,)),
)


def recipe(one):
    return "scd4x:SCD4x", i2c(one), one["address"], {"time": None}
