"""A digital input, such as a door contact or a motion sensor: 1 or 0, as it is when it is read."""

FIELDS = (("{field}", None, 0, 1, 0, None),)
LEAST_S = 1
KEYS = (
    # The pin.
    ("pin", "pin", ...),
    # The board's own resistor: "up" to 3.3 V for a switch to ground, "down" to ground.
    ("pull", "one of", None, ("up", "down")),
    # 0 V means 1, as of a switch to ground.
    ("active_low", "bool", False),
    # Name of the published field.
    ("field", "field", "active", 1, 24),
    # In the duty cycle: a change wakes the board, and is read and delivered at once.
    ("wake", "bool", False),
    # But not again before so long: an input that flaps must not empty the battery.
    ("wake_pause_s", "int", 60, 1, 86400),
)


def recipe(one):
    pin = {"pin": [one["pin"], "in", one["pull"]]}
    options = one["active_low"], one["field"]
    if one["wake"]:
        return ("changes:Changes", pin, {"time": None}) + options
    return ("digital:Digital", pin) + options


def in_sleep(one):
    if not one["wake"]:
        return {"watched": None}
    watched = {"pin": one["pin"], "pull": one["pull"], "debounce_ms": 50}
    watched.update({"field": one["field"], "pause_s": one["wake_pause_s"]})
    return {"watched": watched}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "best: an open contact; worst: a closed one at an ESP32's pull-up of 45 kOhm"


def draw(one, supply_v):
    # Without the board's resistor it is an active sensor, of which there are many.
    return ("contact", 1, (0, 0), (0, 73)) if one["pull"] else None
