"""The broker of eclipse-paho's MQTT test suite, from a checkout. It has no accounts."""

import sys

from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place

NAME = "paho.mqtt.testing"


def _install(cache: Cache) -> Installed:
    return cache.checkout(NAME, "--paho-testing")


def _command(installed: Installed, place: Place) -> Command:
    file = place.folder / "paho.conf"
    file.write_text(f"listener {place.port} 127.0.0.1\n")
    program = installed.folder / "interoperability" / "startbroker.py"
    # The checkout stays as it is.
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    return Command([sys.executable, str(program), "-c", str(file)], environment)


KIND = Kind(
    "paho-testing",
    "eclipse-paho's test broker",
    _install,
    _command,
    {
        "rights": "it has no accounts",
        "restart": "it keeps everything in memory",
    },
)
