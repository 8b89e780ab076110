"""Home Assistant's side: whether a discovery message is one it accepts, and taking a node out.

The rules are those of Home Assistant's documentation of MQTT discovery (device discovery payload,
abbreviations) and of its sensor, binary_sensor, button, number and select integrations.
`host_tests/rigs/home_assistant_schema.py` compares them with Home Assistant's own code.
"""

import time
from typing import Any

from fieldpost.errors import NoNode
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection, Denied, check_topic
from fieldpost.mqtt.tls import ClientFiles

# What a broker keeps comes with the answer to the subscription, or right after it.
_KEPT_S = 0.5
# Of a node's topics, those that the broker keeps.
_KEPT = ("status", "health", "update", "update/offer", "update/home_assistant")
_DEVICE_KEYS = {"ids", "cns", "name", "mf", "mdl", "mdl_id", "hw", "sw", "sn", "sa", "cu"}
_ORIGIN_KEYS = {"name", "sw", "url"}
_TOP_KEYS = {"dev", "o", "cmps", "stat_t", "cmd_t", "qos", "e", "avty_t", "avty_tpl", "avty_mode"}
_TOP_KEYS |= {"pl_avail", "pl_not_avail"}
_COMMON = {"p", "uniq_id", "name", "ent_cat", "ic", "avty_t", "avty_tpl", "qos", "en", "obj_id"}
_SENSOR = _COMMON | {"stat_t", "val_tpl", "dev_cla", "unit_of_meas", "stat_cla", "exp_aft"}
_SENSOR |= {"sug_dsp_prc", "frc_upd", "json_attr_t", "json_attr_tpl"}
_COMMAND = _COMMON | {"cmd_t", "cmd_tpl", "ret"}
_KEYS = {
    "sensor": _SENSOR,
    "binary_sensor": (_SENSOR - {"unit_of_meas", "stat_cla", "sug_dsp_prc"})
    | {"pl_on", "pl_off", "off_dly"},
    "button": _COMMAND | {"pl_prs", "dev_cla"},
    "number": _COMMAND | {"stat_t", "val_tpl", "min", "max", "step", "mode", "unit_of_meas"},
    "select": _COMMAND | {"stat_t", "val_tpl", "ops"},
}
_REQUIRED = {"button": {"cmd_t"}, "number": {"cmd_t"}, "select": {"cmd_t", "ops"}}
# Units that each device class of a sensor allows (sensor/const.py, DEVICE_CLASS_UNITS).
_UNITS = {
    "temperature": {"°C", "°F", "K"},
    "humidity": {"%"},
    "moisture": {"%"},
    "atmospheric_pressure": {"hPa", "Pa", "kPa", "bar", "mbar", "mmHg", "inHg", "psi"},
    "illuminance": {"lx"},
    "carbon_dioxide": {"ppm"},
    "pm1": {"µg/m³"},
    "pm25": {"µg/m³"},
    "pm10": {"µg/m³"},
    "voltage": {"V", "mV", "µV", "kV", "MV"},
    "current": {"A", "mA"},
    "power": {"W", "mW", "kW", "MW", "GW", "TW"},
    "distance": {"cm", "m", "mm", "km", "in", "ft", "yd", "mi"},
    "weight": {"g", "kg", "mg", "µg", "oz", "lb", "st"},
    "precipitation": {"mm", "cm", "in"},
    "signal_strength": {"dB", "dBm"},
    "duration": {"s", "min", "h", "d", "ms"},
}
# binary_sensor/__init__.py, BinarySensorDeviceClass.
_INPUTS = {
    "battery",
    "battery_charging",
    "carbon_monoxide",
    "cold",
    "connectivity",
    "door",
    "garage_door",
    "gas",
    "heat",
    "light",
    "lock",
    "moisture",
    "motion",
    "moving",
    "occupancy",
    "opening",
    "plug",
    "power",
    "presence",
    "problem",
    "running",
    "safety",
    "smoke",
    "sound",
    "tamper",
    "update",
    "vibration",
    "window",
}
_CATEGORIES = {"sensor": {"diagnostic"}, "binary_sensor": {"diagnostic"}}
_ANY_CATEGORY = {"config", "diagnostic"}
_STATE_CLASSES = {"measurement", "total", "total_increasing"}


def problems(document: Any) -> list[str]:
    """What Home Assistant would refuse in a device discovery payload, in words; [] if nothing."""
    if not isinstance(document, dict):
        return ["not an object"]
    found = [f"unknown key {key}" for key in document.keys() - _TOP_KEYS]
    device, origin, parts = (document.get(key) for key in ("dev", "o", "cmps"))
    if not isinstance(device, dict) or not (device.get("ids") or device.get("cns")):
        found.append("dev: needs ids or cns")
    else:
        found += [f"dev: unknown key {key}" for key in device.keys() - _DEVICE_KEYS]
    if not isinstance(origin, dict) or not origin.get("name"):
        found.append("o: needs a name")
    else:
        found += [f"o: unknown key {key}" for key in origin.keys() - _ORIGIN_KEYS]
    if not isinstance(parts, dict) or not parts:
        return [*found, "cmps: needs at least one component"]
    seen: set[str] = set()
    for name, part in parts.items():
        found += [f"cmps.{name}: {text}" for text in _part(part, "stat_t" in document)]
        unique = part.get("uniq_id") if isinstance(part, dict) else None
        if unique in seen:
            found.append(f"cmps.{name}: uniq_id {unique} is taken")
        seen.add(str(unique))
    return found


def _part(part: Any, has_state_topic: bool) -> list[str]:
    if not isinstance(part, dict):
        return ["not an object"]
    platform = part.get("p")
    if platform not in _KEYS:
        return [f"unknown platform {platform}"]
    found = [f"unknown key {key}" for key in part.keys() - _KEYS[platform]]
    found += [f"needs {key}" for key in _REQUIRED.get(platform, set()) - part.keys()]
    if not part.get("uniq_id"):
        found.append("needs uniq_id")
    if platform in _CATEGORIES and not (has_state_topic or "stat_t" in part):
        found.append("needs stat_t")
    device_class, unit = part.get("dev_cla"), part.get("unit_of_meas")
    if platform == "sensor" and device_class is not None:
        if device_class not in _UNITS:
            found.append(f"unknown device class {device_class}")
        elif unit not in _UNITS[device_class]:
            found.append(f"unit {unit} does not fit device class {device_class}")
    if platform == "binary_sensor" and device_class not in {None, *_INPUTS}:
        found.append(f"unknown device class {device_class}")
    if part.get("stat_cla", "measurement") not in _STATE_CLASSES:
        found.append(f"unknown state class {part['stat_cla']}")
    category = part.get("ent_cat")
    if category is not None and category not in _CATEGORIES.get(platform, _ANY_CATEGORY):
        found.append(f"entity category {category} does not fit a {platform}")
    expiry = part.get("exp_aft", 0)
    if not isinstance(expiry, int) or expiry < 0:
        found.append("exp_aft must be a whole number of seconds")
    return found


def remove(
    node: str,
    *,
    broker: str,
    prefix: str = "homeassistant",
    base: str = "fieldpost",
    tls: ClientFiles | None = None,
) -> str:
    """Take a node out of Home Assistant: empty retained messages where it left any.

    Says what was done. Raises CommandError if nothing of that node is there.
    """
    topics = [
        f"{prefix}/device/{node}/config",
        f"{prefix}/update/fieldpost_{node}/config",
        *(f"{base}/{node}/{name}" for name in _KEPT),
    ]
    there: set[str] = set()
    connection = Connection(
        mqtt_url.parse(broker, tls), on_message=lambda message: there.add(message.topic)
    )
    connection.open()
    try:
        may_look = True
        for topic in topics:
            check_topic(topic)
            try:
                connection.subscribe(topic, 1)
            except Denied:
                may_look = False
        time.sleep(_KEPT_S)
        if may_look and not there:
            raise NoNode(
                f"the broker keeps nothing of a node {node}, so nothing was removed: is the name "
                "right?"
            )
        for topic in topics:
            connection.publish(topic, b"", qos=1, retain=True)
    finally:
        connection.close()
    return f"{node} is removed; a node that still runs announces itself at its next start"
