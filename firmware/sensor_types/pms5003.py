"""PMS5003 and its kin on a UART: particles up to 1, 2.5 and 10 micrometres, in ug/m3."""

from firmware.sensor_types.shared import UART

# The frame has 16 bits for each; the data sheet calls 500 the effective range, 1000 the least
# that the largest value is.
FIELDS = (
    ("pm1", "µg/m³", 0, 65535, 0, "pm1"),
    ("pm25", "µg/m³", 0, 65535, 0, "pm25"),
    ("pm10", "µg/m³", 0, 65535, 0, "pm10"),
)
LEAST_S = 3
KEYS = UART


def recipe(one):
    return "pms5003:PMS5003", {"uart": [one["uart"], 9600, one["tx"], one["rx"]]}


def in_sleep(one):
    return {"sends": True}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "PMS5003 series data manual, version 2.3, page 3: at most; the fan is always on"
DRIVES = ("tx",)


def draw(one, supply_v):
    return "PMS5003", 2400, (100, 100), (100000, 100000)
