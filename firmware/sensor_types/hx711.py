"""HX711: a load cell's weight in the unit of your calibration."""

FIELDS = (("{field}", None, None, None, 1, None),)
LEAST_S = 1
KEYS = (
    # The clock pin (SCK).
    ("clock", "pin", ...),
    # The data pin (DT).
    ("data", "pin", ...),
    # Counts for one unit of weight; negative if the cell is mounted the other way.
    ("scale", "float", 1.0, -10000000, 10000000),
    # Counts with nothing on the cell.
    ("offset", "float", 0.0, -8388608, 8388607),
    # Name of the published field.
    ("field", "field", "weight", 1, 24),
)


def recipe(one):
    clock, data = {"pin": [one["clock"], "out"]}, {"pin": [one["data"], "in", "up"]}
    options = one["scale"], one["offset"], one["field"]
    return ("hx711:HX711", clock, data, {"time": None}) + options


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet HX711, table 2 (English and Chinese edition), page 3, with a cell of 1000 to 350 "
    "Ohm at 3.3 V; in between powered down with its cell, page 1: less than 1 uA"
)
DRIVES = ("clock",)


def draw(one, supply_v):
    return "HX711", 410, (4.8, 11), (0.5, 1)
