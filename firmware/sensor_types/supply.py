"""The supply or battery voltage in millivolts."""

FIELDS = (("supply_mv", "mV", 0, None, 0, "voltage"),)
LEAST_S = 1
KEYS = (
    # ESP32: the pin that the supply reaches through a divider. null: the board's own
    # measurement (Pico W).
    ("pin", "adc", None),
    # What to multiply the measured voltage by: 2 for a divider of two equal resistors.
    ("scale", "float", 1.0, 0.01, 1000),
)


def recipe(one):
    if one["pin"] is None:
        return "measured:Measured", "supply_mv", {"supply_mv": None}
    # An offset of 0, 16 measurements, no decimals.
    return "analog:Analog", {"adc": [one["pin"]]}, one["scale"] * 1000, 0, 16, "supply_mv", 0


def in_sleep(one):
    return {"measures_supply": one["pin"] is not None}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "docs/sensors.md: two resistors of 100 kOhm across the battery"


def draw(one, supply_v):
    if one["pin"] is None:
        return "supply", 1, (0, 0), (0, 0)
    ua = supply_v / 200e3 * 1e6
    return "supply divider", 1, (0, 0), (ua, ua)
