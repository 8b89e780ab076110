"""DS18B20 and its kin, all that hang on one 1-Wire bus: degrees Celsius. N is 2 for the second
device, and so on.
"""

from firmware.sensor_types.shared import temperature

FIELDS = (temperature(-55, 125), ("temperature_*", "°C", -55, 125, 2, "temperature"))
LEAST_S = 1
KEYS = (
    # The data pin of the bus.
    ("pin", "pin", ...),
    # Bits of each measurement: 9 takes 94 ms for 0.5 degrees, 12 takes 750 ms for 0.0625.
    ("resolution", "int", 12, 9, 12),
    # The devices to read, in this order, by their ids. null: all that are found. With a
    # list, a device that is added or replaced never moves the others' fields.
    ("devices", "ids", None),
)


def recipe(one):
    return "ds18b20:DS18B20", {"onewire": [one["pin"]]}, one["resolution"], one["devices"]
