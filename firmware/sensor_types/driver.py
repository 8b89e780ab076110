"""Any other driver by name, which is given an I2C bus or a pin. N stands for the names in its
FIELDS; give it a prefix beside other sensors.
"""

from firmware.sensor_types.shared import i2c

RANGE = (
    # The driver's field, by its own name.
    ("field", "field", ..., 1, 48),
    # What is less than this cannot have been measured. null: there is no end.
    ("lowest", "float", None, -1e6, 1e6),
    # What is more than this cannot have been measured. null: there is no end.
    ("highest", "float", None, -1e6, 1e6),
)

FIELDS = (("*", None, None, None, None, None),)
LEAST_S = 1
KEYS = (
    # Module and class, as in "package.module:Class".
    ("driver", "text", ..., 3, 64),
    # Number of the I2C bus.
    ("bus", "int", 0, 0, 1),
    # The clock pin of its I2C bus. null: it is at a pin.
    ("scl", "scl", None),
    # The data pin of its I2C bus. null: it is at a pin.
    ("sda", "sda", None),
    # Address on the bus, as 66 or as "0x42". null: the driver knows it.
    ("address", "any address", None, 8, 119),
    # Clock of the bus; the same for every sensor on it.
    ("freq_hz", "bus hz", 100000, 10000, 1000000),
    # Its pin, if it is on no bus.
    ("pin", "pin", None),
    # What its fields can be at all: a value outside is an error, and never published. []: as the
    # driver says in RANGES, or anything.
    ("ranges", "list", [], RANGE, 0, 16),
)


def recipe(one):
    if one["scl"] is None or one["sda"] is None:
        return (one["driver"],) if one["pin"] is None else (one["driver"], {"pin": [one["pin"]]})
    if one["address"] is None:
        return one["driver"], i2c(one)
    return one["driver"], i2c(one), one["address"]


def in_sleep(one):
    return {"sends": True}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "nobody knows what it drives"


def draw(one, supply_v):
    return None
