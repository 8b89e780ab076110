"""HC-SR04 and JSN-SR04T: distance in centimetres by ultrasound."""

FIELDS = (("distance", "cm", 1.7, 620.7, 1, "distance"),)
LEAST_S = 1
KEYS = (
    # The trigger pin.
    ("trigger", "pin", ...),
    # The echo pin, behind a divider if the sensor runs on 5 V.
    ("echo", "pin", ...),
    # Measurements, 60 ms apart, of which the median is published.
    ("samples", "int", 3, 1, 9),
)


def recipe(one):
    trigger, echo = {"pin": [one["trigger"], "out"]}, {"pin": [one["echo"], "in"]}
    return "hcsr04:HCSR04", trigger, echo, {"time": None}, one["samples"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "ElecFreaks, 'Ultrasonic Ranging Module HC-SR04', 'Electric parameter': 15 mA; what it takes "
    "in between is in no maker's sheet, those who sell it say less than 2 mA"
)
DRIVES = ("trigger",)


def draw(one, supply_v):
    return "HC-SR04", 60 * one["samples"], (15, 15), (2000, 2000)
