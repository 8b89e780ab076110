"""No hardware: a daily curve with noise, to try a node before its sensors have come."""

from firmware.sensor_types.shared import humidity, temperature

FIELDS = (temperature(-40, 60), humidity())
LEAST_S = 1
KEYS = (
    # The same seed makes the same readings.
    ("seed", "int", 1, 0, 1000000000),
    # Length of the simulated day.
    ("period_s", "int", 86400, 2, 604800),
    # A read fails whenever so many have been made, to try how that looks. 0: none.
    ("fail_every", "int", 0, 0, 1000000),
)


def recipe(one):
    options = one["seed"], one["period_s"], one["fail_every"]
    return ("simulated:Simulated", {"time": None}) + options


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "no hardware"


def draw(one, supply_v):
    return "simulated", 1, (0, 0), (0, 0)
