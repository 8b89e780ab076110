"""Pulses to ground since the last reading, as of a rain gauge or a meter."""

FIELDS = (("{field}", None, None, None, 4, None),)
LEAST_S = 1
COUNTS = True
KEYS = (
    # The pin; it is pulled up.
    ("pin", "pin", ...),
    # What one pulse stands for.
    ("scale", "float", 1.0, -1000000, 1000000),
    # A pulse so soon after the last one is contact bounce.
    ("debounce_ms", "int", 10, 0, 1000),
    # Name of the published field.
    ("field", "field", "pulses", 1, 24),
    # In the duty cycle: count what falls while the board sleeps, too. An ESP32 wakes for
    # each pulse.
    ("wake", "bool", True),
)


def recipe(one):
    options = one["scale"], one["debounce_ms"], one["field"]
    return ("pulses:Pulses", {"pin": [one["pin"], "in", "up"]}, {"time": None}) + options


def in_sleep(one):
    watched = {"pin": one["pin"], "pull": "up", "debounce_ms": one["debounce_ms"]}
    return {"watched": watched if one["wake"] else None}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "best: a contact that rests open; worst: closed, at a pull-up of 45 kOhm"
PULLED_UP = ("pin",)


def draw(one, supply_v):
    return "pulses", 1, (0, 0), (0, 73)
