"""A capacitive soil probe at an ADC pin: percent between two points of your own."""

FIELDS = (("{field}", "%", 0, 100, 1, "moisture"),)
LEAST_S = 1
KEYS = (
    # The ADC pin.
    ("pin", "adc", ...),
    # Millivolts at the pin with the probe in dry soil: 0 %.
    ("dry_mv", "int", 2600, 0, 5000),
    # Millivolts at the pin with the probe in water: 100 %. Unlike dry_mv.
    ("wet_mv", "int", 1000, 0, 5000),
    # Measurements averaged into one reading.
    ("oversample", "int", 16, 1, 256),
    # Name of the published field.
    ("field", "field", "soil_moisture", 1, 24),
)


def recipe(one):
    adc = {"adc": [one["pin"]]}
    return "soil:Soil", adc, one["dry_mv"], one["wet_mv"], one["oversample"], one["field"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "operating current of SEN0193 as its sellers give it (SunFounder); it is always on"


def draw(one, supply_v):
    return "soil probe", 1, (5, 5), (5000, 5000)
