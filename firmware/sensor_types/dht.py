"""DHT11 and DHT22 (AM2302): degrees Celsius and percent relative humidity."""

from firmware.sensor_types.shared import humidity, temperature

FIELDS = (temperature(-40, 80, 1), humidity(1))
LEAST_S = 2
KEYS = (
    # The data pin.
    ("pin", "pin", ...),
    # Which of the two it is.
    ("model", "one of", "DHT22", ("DHT11", "DHT22")),
)


def recipe(one):
    return "dhtxx:DHT", {"pin": [one["pin"]]}, one["model"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "DHT22: Seeed's page of the Grove module; DHT11: best Aosong's sheet of the newer one, "
    "worst D-Robotics' sheet of the older one, section 6"
)
DRIVES = ("pin",)


def draw(one, supply_v):
    # The driver asks twice, for the first answer is an old one.
    if one["model"] == "DHT11":
        return "DHT11", 2000, (0.3, 2.5), (60, 150)
    return "DHT22", 2000, (1, 1.5), (40, 50)
