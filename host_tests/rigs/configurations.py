"""Configurations to check: a full one, and any number that are spoilt at random."""

import random
from typing import Any

from firmware.config import keys_sensors

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


SECRET = "hunter2-X"


def anything(source: random.Random, depth: int = 0) -> Any:
    """A value such as no one would write."""
    kind = source.randrange(12 if depth < 3 else 9)
    if kind < 3:
        numbers = [0, -1, 1.5, 2**64, -(10**400), 1e300, float("nan"), float("-inf")]
        return source.choice([None, True, False, *numbers])
    if kind < 8:
        texts = ["", "\x00", "\ud800", "é" * 40, "a" * 5000, "0xzz", "1.2.3.999", "type", "$", "/"]
        return source.choice([*texts, *keys_sensors.NAMES, SECRET])
    if kind == 8:
        return source.choice([b"x", object(), {1, 2}, (), ...])
    if kind < 10:
        return [anything(source, depth + 1) for _ in range(source.randrange(4))]
    keys = ["wifi", "mqtt", "sensors", "type", "pin", "host", "x", "\ud800", 5, None, ()]
    return {source.choice(keys): anything(source, depth + 1) for _ in range(source.randrange(4))}


def mutate(source: random.Random, value: Any) -> Any:
    """The value with some of what it holds replaced, dropped or renamed."""
    if source.random() < 0.02:
        return anything(source)
    if isinstance(value, dict):
        kept = {key: mutate(source, one) for key, one in value.items() if source.random() > 0.01}
        if source.random() < 0.03:
            kept[source.choice(["pinn", "user", "x", 7])] = anything(source)
        return kept
    if isinstance(value, list):
        return [mutate(source, one) for one in value]
    return value


FULL = {
    "node": "n",
    "wifi": {"hostname": "a", "static": {"address": "10.0.0.2", "gateway": "10.0.0.1"}},
    "mqtt": {"host": "h", "port": 1, "timeout_s": 5, "keepalive_s": 9, "base": "b"},
    "outbox": {"flash_kib": 8, "durability": "reading"},
    "retry": {"base_s": 1, "cap_s": 2},
    "watchdog_s": 5,
    "sample_s": 2,
    "sensors": [
        {"type": "dht", "pin": 1, "name": "one", "prefix": True},
        {"type": "bme280", "scl": 22, "sda": 21, "address": "0x77"},
        {"type": "ds18x20", "pin": 3, "prefix": "p", "devices": ["28-00000a1b2c3d"]},
        {"type": "analog", "pin": 34, "field": "x"},
        {"type": "supply"},
    ],
}


FULL_SECRETS = SECRETS | {"mqtt": {"user": "u", "password": SECRET}}
