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


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet DS18B20 (19-7487, rev. 4), page 2: active and standby current; page 3: t_CONV"
)
_CONVERSION_MS = {9: 94, 10: 188, 11: 376, 12: 751}
DRIVES = ("pin",)


def draw(one, supply_v):
    count = len(one["devices"] or [None])
    active_ma, standby_ua = (1 * count, 1.5 * count), (0.75 * count, 1 * count)
    return f"{count} x DS18B20", _CONVERSION_MS[one["resolution"]], active_ma, standby_ua
