"""The sensors' part of the schema: what every sensor may say. Each type's keys are elsewhere.

Rows, kinds and comments are as in `firmware/config/keys.py`. The types are declared in
`firmware/sensor_types/`, one file each, of which only those that are configured are loaded.
"""

from firmware.sensor_types import names

NAMES = names.NAMES
# Where a field's range has none: more than any number to publish, and JSON knows no infinity.
_NO_END = 1e30

CALIBRATION = (
    # The sensor's field, by its own name.
    ("field", "field", ..., 1, 48),
    # What its value is multiplied by.
    ("scale", "float", 1.0, -1e6, 1e6),
    # What is added then.
    ("offset", "float", 0.0, -1e6, 1e6),
)

ALARM = (
    # The sensor's field, by its own name.
    ("field", "field", ..., 1, 48),
    # Deliver at once when the value rises above this, and when it has come back.
    ("above", "float", None, -1e6, 1e6),
    # Deliver at once when the value falls below this, and when it has come back.
    ("below", "float", None, -1e6, 1e6),
    # Deliver at once when the value differs by so much from the one delivered last.
    ("change", "float", None, 0, 1e6),
)

# Keys of every sensor, whatever its type.
EVERY = (
    # What it is; the types and their own keys are listed below.
    ("type", "type", ...),
    # Name of this sensor in errors and prefixes, unlike any other sensor's. null: its type.
    ("name", "field", None, 1, 24),
    # Put before its fields when two sensors publish the same one: true: the sensor's name
    # (`outdoor` makes `outdoor_temperature`); a text: that text.
    ("prefix", "prefix", False),
    # The fields to publish, by the type's own names, in this order. []: all of them.
    ("fields", "names", []),
    # Corrections of fields: what is published is scale * value + offset.
    ("calibration", "list", [], CALIBRATION, 0, 16),
    # Measurements for one reading, one after the other, of which the median is published. Each
    # takes its time.
    ("median", "int", 1, 1, 9),
    # Read with every so many-th reading only, which alone has its fields; the first of each boot
    # has them.
    ("every", "int", 1, 1, 1000),
    # In the duty cycle: fields whose reading is delivered at once when it crosses a threshold.
    ("alarms", "list", [], ALARM, 0, 8),
)


def declaration(kind):
    """The module that declares a sensor type, one of NAMES."""
    return __import__("firmware.sensor_types." + kind, None, None, ("KEYS",))


def in_sleep(sensor):
    """What a node that sleeps has to know of a checked sensor: a dict, of most types empty."""
    declared = declaration(sensor["type"])
    return declared.in_sleep(sensor) if hasattr(declared, "in_sleep") else {}


def complete(sensors):
    """Put into checked sensors what a wake needs of their types, so that it loads the drivers
    alone: `recipe`, how the driver is built, `ranges`, {field: [lowest, highest]} by the driver's
    own names, where "*" is any other field, as one that its configuration names, and what
    `in_sleep` says."""
    for sensor in sensors:
        declared = declaration(sensor["type"])
        sensor["recipe"] = list(declared.recipe(sensor))
        ranges = {}
        for name, _, lowest, highest, *_ in declared.FIELDS:
            ranges[name] = ranges["*"] = _range(lowest, highest)
        for one in sensor.get("ranges", ()):
            ranges[one["field"]] = _range(one["lowest"], one["highest"])
        sensor["ranges"] = ranges
        sensor.update(in_sleep(sensor))


def _range(lowest, highest):
    return [-_NO_END if lowest is None else lowest, _NO_END if highest is None else highest]
