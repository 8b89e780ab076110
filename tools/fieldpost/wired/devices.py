"""Devices that are wired to a board without standing in its configuration: `--device`."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fieldpost.errors import Usage
from firmware.config import check, keys_sensors

# Where a Pico W has its first I2C bus, and MicroPython its default.
_PINS = {"scl": 5, "sda": 4}
_NODE = {"node": "emulated", "mqtt": {"host": "emulated"}}
_SECRETS = {"wifi": [{"ssid": "emulated", "password": "no-password"}]}
_NUMBERED = re.compile(r"sensors\[(\d+)\]")


def parse(texts: Sequence[str], beside: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The checked sensors of texts such as "bme280", "bme280@0x77" and "dht,pin=15".

    What is on I2C is at SCL 5 and SDA 4 unless it is said. beside: the sensors of a configuration
    that has been checked. Raises CommandError about what is no sensor, or does not go with the
    others.
    """
    given = [{"prefix": True, **_parse(text)} for text in texts]
    settings, errors = check.check({**_NODE, "sensors": [*beside, *given]}, _SECRETS)
    if settings is None:
        told = [f"--device {text}" for text in texts]
        names = [f"the configuration's sensors[{at}]" for at in range(len(beside))] + told
        raise Usage("\n".join(_NUMBERED.sub(lambda m: names[int(m[1])], one) for one in errors))
    return settings["sensors"][len(beside) :]


def _parse(text: str) -> dict[str, Any]:
    head, *pairs = text.split(",")
    kind, at, address = head.partition("@")
    if kind not in keys_sensors.NAMES:
        known = ", ".join(sorted(keys_sensors.NAMES))
        raise Usage(f"--device {text}: {kind!r} is no type of sensor; there are {known}")
    keys = {row[0] for row in keys_sensors.declaration(kind).KEYS}
    found: dict[str, Any] = {"type": kind}
    if _PINS.keys() <= keys:
        found.update(_PINS)
    if at:
        found["address"] = address
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise Usage(f"--device {text}: {pair!r} is no KEY=VALUE, such as pin=15")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
