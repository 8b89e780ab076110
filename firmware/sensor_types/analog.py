"""A voltage at an ADC pin, published as scale * volts + offset."""

FIELDS = (("{field}", None, None, None, 4, None),)
LEAST_S = 1
KEYS = (
    # The ADC pin.
    ("pin", "adc", ...),
    # What one volt stands for.
    ("scale", "float", 1.0, -1000000, 1000000),
    # What 0 V stands for.
    ("offset", "float", 0.0, -1000000, 1000000),
    # Measurements averaged into one reading.
    ("oversample", "int", 16, 1, 256),
    # Name of the published field.
    ("field", "field", "value", 1, 24),
)


def recipe(one):
    adc = {"adc": [one["pin"]]}
    return "analog:Analog", adc, one["scale"], one["offset"], one["oversample"], one["field"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "nobody knows what is connected"


def draw(one, supply_v):
    return None
