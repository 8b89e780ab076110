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


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "data sheet SCD4x, version 1.7, section 2.1: it measures all the time, at 3.3 V"
# Whether it has a measurement.
SCAN = (b"\xe4\xb8", 1, 3, "SCD40, SCD41 or SCD43")


def draw(one, supply_v):
    return "SCD4x", 1, (15, 18), (15000, 18000)
