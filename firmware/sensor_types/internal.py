"""The chip's own temperature in degrees Celsius; some degrees above the air's."""

FIELDS = (("die_temperature", "°C", -40, 150, 1, "temperature"),)
LEAST_S = 1
KEYS = ()


def recipe(one):
    return "measured:Measured", "die_temperature", {"die_temperature_c": None}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "part of the chip"


def draw(one, supply_v):
    return "internal", 1, (0, 0), (0, 0)
