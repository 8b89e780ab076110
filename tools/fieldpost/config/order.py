"""A configuration in the order of its documentation: a board that has changed it keeps none."""

from collections.abc import Iterable
from typing import Any

from firmware.config import keys, keys_sensors


def in_order(config: dict[str, Any]) -> dict[str, Any]:
    """The same with its keys as `fieldpost config show` lists them; what it does not know last."""
    return _object(keys.CONFIG, config)


def _object(rows: Iterable[Any], found: dict[str, Any]) -> dict[str, Any]:
    known = {row[0]: row for row in rows}
    names = [*(name for name in known if name in found), *(n for n in found if n not in known)]
    return {name: _value(known.get(name), found[name]) for name in names}


def _value(row: Any, value: Any) -> Any:
    kind = row[1].rstrip("?") if row else ""
    if kind == "section" and isinstance(value, dict):
        return _object(row[3], value)
    if kind == "list" and isinstance(value, list):
        return [_object(row[3], one) if isinstance(one, dict) else one for one in value]
    if kind == "sensors" and isinstance(value, list):
        return [_sensor(one) if isinstance(one, dict) else one for one in value]
    return value


def _sensor(sensor: dict[str, Any]) -> dict[str, Any]:
    kind = sensor.get("type")
    own = keys_sensors.declaration(kind).KEYS if kind in keys_sensors.NAMES else ()
    return _object([*keys_sensors.EVERY, *own], sensor)
