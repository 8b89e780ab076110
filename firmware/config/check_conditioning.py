"""The checks of a sensor's `fields`, `ranges`, `calibration`, `median` and `alarms`, if any."""

from firmware.config import keys_sensors


def check(path, sensor, fields, errors):
    """Add an error for each name that is none of `fields`, the type's own, and what else is wrong.

    Returns the fields that are published. What is None in `sensor` was wrong by itself.
    """
    chosen = sensor["fields"] or fields
    named = [(f"{path}.fields[{i}]", field) for i, field in enumerate(chosen)]
    if sensor["fields"]:
        _check_named(named, fields, "the type's fields", errors)
    for key in ("ranges", "calibration", "alarms"):
        named = []
        for i, one in enumerate(sensor.get(key) or ()):
            if not one:
                continue
            here = f"{path}.{key}[{i}]"
            if one["field"]:
                named.append((here + ".field", one["field"]))
            if key == "calibration" and one["scale"] == 0:
                errors.append(here + ".scale: found 0, which leaves nothing of the value")
            if key == "ranges":
                _check_range(here, one["lowest"], one["highest"], errors)
            if key == "alarms" and one["above"] is one["below"] is one["change"] is None:
                errors.append(here + ": has no threshold, must have above, below or change")
        if key == "ranges":
            _check_named(named, fields, "the type's fields", errors)
        else:
            _check_named(named, chosen, "the sensor's published fields", errors)
    counts = getattr(keys_sensors.declaration(sensor["type"]), "COUNTS", False)
    if counts and (sensor["median"] or 1) > 1:
        text = f"{path}.median: found {sensor['median']}, must be 1"
        errors.append(text + ": each measurement would count only the pulses since the last")
    return chosen


def _check_range(here, lowest, highest, errors):
    if lowest is highest is None:
        errors.append(here + ": has no end, must have lowest or highest")
    elif None not in (lowest, highest) and lowest >= highest:
        errors.append(f"{here}.highest: found {highest:g}, must be above lowest, {lowest:g}")


def _check_named(named, fields, whose, errors):
    """Add an error for each of `named`, [(path, field), …], that is unknown or there twice."""
    seen = []
    for here, field in named:
        if field in seen:
            errors.append(f'{here}: "{field}" is there twice')
        elif not any(_is(field, one) for one in fields):
            text = f'{here}: found "{field}", must be one of {whose}: '
            errors.append(text + ", ".join(fields))
        seen.append(field)


def _is(field, one):
    return field == one or (one[-1] == "*" and field.startswith(one[:-1]))
