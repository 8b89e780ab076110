"""The configuration as a form: for every key what has to be known to ask a person for it.

Made from the schema and its texts, as the reference is, so that a key that is added there is asked
for here. What is typed is checked by the firmware's own check (`fieldpost/config/files.py`).
"""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fieldpost.config import pins
from fieldpost.config.reference import Row, reference, sections
from fieldpost.file_names import SECRETS
from firmware.config import keys, keys_sensors

# What nobody can go without, and what nearly everybody wants to choose; the rest unfolds.
BASICS = ("node", "mqtt.host", "sample_s")
_WORDS = {
    "adc": "ADC",
    "ca": "CA",
    "dns": "DNS",
    "freq": "clock",
    "i2c": "I2C",
    "led": "LED",
    "mqtt": "MQTT",
    "ntp": "Time server",
    "ram": "RAM",
    "rx": "RX",
    "scl": "SCL",
    "sda": "SDA",
    "ssid": "network",
    "tls": "TLS",
    "tx": "TX",
    "uart": "UART",
    "wifi": "Wi-Fi",
}
# Where the key by itself says too little, by its path.
_TITLES = {
    "home_assistant": "Home Assistant",
    "mqtt.host": "Broker",
    "sample_s": "A reading every",
    "secrets.json mqtt": "Login at the broker",
    "secrets.json wifi": "Wi-Fi networks",
    "wifi.static": "Fixed address",
}
# Where the schema's own text is about commands.
_TEXTS = {
    "board": 'Its kind, such as "pico-w" or "esp32-c3": then its pins are checked as you type.',
}
_UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "mv": "millivolts",
    "kib": "KiB",
    "hz": "hertz",
    "mohm": "milliohms",
}
_KINDS = {
    "int": "whole",
    "bus hz": "whole",
    "pin": "whole",
    "adc": "whole",
    "scl": "whole",
    "sda": "whole",
    "float": "number",
    "bool": "choice",
    "one of": "choice",
    "address": "choice",
    "any address": "address",
    "ids": "words",
    "names": "words",
    "prefix": "prefix",
    "passphrase": "secret",
    "section": "section",
    "list": "list",
    "sensors": "sensors",
}
_NUMBERS = ("int", "bus hz", "float", "any address")
_NULL = re.compile(r"(^|[.;] )(?:null|\[\]):")
_FILES = ("mqtt.tls.ca_file", "mqtt.tls.cert_file", "mqtt.tls.key_file")


@functools.cache
def form() -> dict[str, Any]:
    """`config` and `secrets`: their keys as a tree, in the order of the schema. `every`: what each
    sensor may say; `types`: each type with its own keys. `basics`: keys to ask for first.
    `boards`: those whose pins are known."""
    titled = {section.title: section.text for section in sections()}
    return {
        "config": _fields(keys.CONFIG, "", ""),
        "secrets": _fields(keys.SECRETS, SECRETS + " ", ""),
        "every": _fields(keys_sensors.EVERY[1:], "sensors[].", ""),
        "types": [
            {
                "name": kind,
                "text": titled[f"Sensor type {kind}"].replace("`", ""),
                "rows": _fields(keys_sensors.declaration(kind).KEYS, "sensors[].", f" ({kind})"),
            }
            for kind in keys_sensors.NAMES
        ],
        "basics": list(BASICS),
        "boards": pins.boards(),
    }


def known_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config.json the form has a place for, be it right or wrong: without keys that the
    schema does not know, and what stands where an object or a list belongs."""
    return _known(keys.CONFIG, config)


def _fields(rows: Iterable[tuple[Any, ...]], prefix: str, of_type: str) -> list[dict[str, Any]]:
    return [_field(row, prefix, of_type) for row in rows]


def _field(row: tuple[Any, ...], prefix: str, of_type: str) -> dict[str, Any]:
    kind = row[1].rstrip("?")
    path = prefix + row[0]
    told = _told()[path + of_type]
    field: dict[str, Any] = {
        "key": row[0],
        "title": _TITLES.get(path) or title(row[0]),
        "unit": _unit(row[0]),
        "kind": _KINDS.get(kind, "text"),
        # An empty password is one, too.
        "required": row[2] is ... and kind != "passphrase",
        "default": _default(row),
        "allowed": told.allowed.removesuffix(", or null"),
        "text": _TEXTS.get(path) or told.text.replace("`", ""),
    }
    if path.startswith(SECRETS) and row[0] == "password":
        field["kind"] = "secret"
        field["may_be_empty"] = kind == "passphrase"
    if path in _FILES:
        field["kind"] = "file"
    if path == "board":
        field["kind"] = "board"
    field["text"] = _for_a_form(field["text"], row, field["kind"])
    if kind in _NUMBERS:
        field["low"], field["high"] = row[3], row[4]
    # A key of its own may be said to be nothing, where it would be something by itself.
    field["may_be_null"] = row[1].endswith("?") and row[2] is not None
    if field["kind"] == "choice":
        field["options"] = _options(kind, row)
    if kind in ("section", "list"):
        inner = "." if kind == "section" else "[]."
        field["rows"] = _fields(row[3], path + inner, of_type)
        # A section that is nothing unless one asks for it.
        field["optional"] = kind == "section" and row[2] is None
    if kind in ("list", "sensors"):
        field["fewest"], field["most"] = row[-2], row[-1]
    return field


def _for_a_form(text: str, row: tuple[Any, ...], kind: str) -> str:
    """A text that says what null comes to, or an empty one, for who can type neither."""
    if row[1].endswith("?"):
        nothing = "None"
    else:
        nothing = {"section": "Without it", "choice": "By itself"}.get(kind, "Empty")

    def said(found: re.Match[str]) -> str:
        return found[1] + (nothing.lower() if found[1] == "; " else nothing) + ":"

    return _NULL.sub(said, text).replace('""', "empty")


def title(key: str) -> str:
    """A key as a person would say it, without its unit: "Keepalive" for keepalive_s."""
    words = key.split("_")
    if len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    text = " ".join(_WORDS.get(word, word) for word in words)
    return text[0].upper() + text[1:]


def _unit(key: str) -> str | None:
    words = key.split("_")
    return _UNITS.get(words[-1]) if len(words) > 1 else None


def _default(row: tuple[Any, ...]) -> Any:
    return None if row[2] in (..., ()) else row[2]


def _options(kind: str, row: tuple[Any, ...]) -> list[dict[str, Any]]:
    if kind == "bool":
        return [{"value": True, "text": "true"}, {"value": False, "text": "false"}]
    if kind == "address":
        return [{"value": one, "text": f"0x{one:x}"} for one in row[3]]
    return [{"value": one, "text": one} for one in row[3]]


@functools.cache
def _told() -> dict[str, Row]:
    return {row.key: row for row in reference()}


def _known(rows: Iterable[tuple[Any, ...]], found: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for row in rows:
        if row[0] not in found:
            continue
        kind, value = row[1].rstrip("?"), found[row[0]]
        if kind == "section":
            if isinstance(value, dict):
                kept[row[0]] = _known(row[3], value)
            elif value is None:
                kept[row[0]] = None
        elif kind in ("list", "sensors"):
            if isinstance(value, list):
                inner = _sensor_rows if kind == "sensors" else lambda _one, row=row: row[3]
                objects = [one for one in value if isinstance(one, dict)]
                kept[row[0]] = [_known(inner(one), one) for one in objects]
        else:
            kept[row[0]] = value
    return kept


def _sensor_rows(sensor: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
    kind = sensor.get("type")
    own = keys_sensors.declaration(kind).KEYS if kind in keys_sensors.NAMES else ()
    return (*keys_sensors.EVERY, *own)
