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
