"""The unit of a field, and how it becomes the one in which Home Assistant keeps it.

Home Assistant converts a value when it arrives by MQTT, as to °F where that is wanted. What is
imported is kept as it stands, so it is converted here.
"""

import sys

from fieldpost.paths import CPYTHON_SHIMS

# Unit: (class of Home Assistant's converter, factor, offset) to the class's first unit.
_UNITS: dict[str, tuple[str, float, float]] = {
    "°C": ("temperature", 1, 0),
    "°F": ("temperature", 5 / 9, -32 * 5 / 9),
    "K": ("temperature", 1, -273.15),
    "Pa": ("pressure", 1, 0),
    "hPa": ("pressure", 100, 0),
    "mbar": ("pressure", 100, 0),
    "kPa": ("pressure", 1000, 0),
    "bar": ("pressure", 100_000, 0),
    "mmHg": ("pressure", 133.322387415, 0),
    "inHg": ("pressure", 3386.38815789, 0),
    "psi": ("pressure", 6894.75729317, 0),
    "m": ("distance", 1, 0),
    "mm": ("distance", 0.001, 0),
    "cm": ("distance", 0.01, 0),
    "km": ("distance", 1000, 0),
    "in": ("distance", 0.0254, 0),
    "ft": ("distance", 0.3048, 0),
    "yd": ("distance", 0.9144, 0),
    "mi": ("distance", 1609.344, 0),
    "V": ("voltage", 1, 0),
    "mV": ("voltage", 0.001, 0),
    "A": ("electric_current", 1, 0),
    "mA": ("electric_current", 0.001, 0),
    "W": ("power", 1, 0),
    "kW": ("power", 1000, 0),
    "g": ("mass", 1, 0),
    "kg": ("mass", 1000, 0),
    "oz": ("mass", 28.349523125, 0),
    "lb": ("mass", 453.59237, 0),
}


def unit_of(field: str) -> str | None:
    """What a node publishes a field in, None without any: as its discovery message says."""
    # MicroPython's `micropython`, which the node's module imports.
    if str(CPYTHON_SHIMS) not in sys.path:
        sys.path.append(str(CPYTHON_SHIMS))
    from firmware.remote.home_assistant import quantity

    return quantity(field)[1]


def unit_class(unit: str | None) -> str | None:
    """The converter that Home Assistant uses for a unit, None if none that is known here."""
    return _UNITS[unit][0] if unit in _UNITS else None


def can_convert(source: str | None, target: str | None) -> bool:
    """Whether a value in `source` can be said in `target`."""
    return source == target or (
        source is not None
        and unit_class(source) is not None
        and unit_class(source) == unit_class(target)
    )


def convert(value: float, source: str | None, target: str | None) -> float:
    """`value` in `target`; `can_convert` must hold."""
    if source == target or source is None or target is None:
        return value
    _, factor, offset = _UNITS[source]
    _, target_factor, target_offset = _UNITS[target]
    return (value * factor + offset - target_offset) / target_factor
