"""What emulated sensors measure: by themselves, as flags say, and as a table says in time."""

import ast
import csv
import difflib
import functools
import importlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpost.errors import BadFile, CommandError, Usage
from fieldpost.paths import DESK_PATH

Value = float | str
Values = dict[str, dict[str, Value]]
ABSENT, PRESENT = "absent", "present"
# What is told under no field: whether the device is there.
_DEVICE = ""
_TIME = "seconds"
_ORDINARY: dict[str, float] = {
    "temperature": 21.5,
    "humidity": 45.0,
    "pressure": 1013.25,
    "co2": 640,
    "illuminance": 320,
    "voltage": 5.0,
    "current": 0.12,
    "distance": 85.0,
    "pm1": 3,
    "pm25": 5,
    "pm10": 8,
    "formaldehyde": 12,
    "voc_raw": 30000,
    "supply_mv": 4100,
    "die_temperature": 31.0,
}
# Where the field has the user's own name.
_BY_TYPE = {"analog": 1.0, "digital": 0, "hx711": 12.5, "pulses": 0, "soil": 40.0}
# What can be told of the pin of a driver of one's own, and its limits.
_AT_PIN: dict[str, tuple[float, float]] = {"mv": (0, 5000), "level": (0, 1)}
_HEX = re.compile(r"0x((?:[0-9a-fA-F]{2})+)")


class Emulated:
    """The checked sensors of a configuration, by what may be said of them."""

    def __init__(self, sensors: Sequence[Mapping[str, Any]]) -> None:
        self._sensors = {one["name"]: one for one in sensors}
        self._fields = {name: _fields(one) for name, one in self._sensors.items()}

    def ordinary(self) -> Values:
        """What each measures if nobody says anything."""
        return {
            name: {
                field: _BY_TYPE.get(self._sensors[name]["type"], _ORDINARY.get(field, 20.0))
                if field not in _ORDINARY
                else _ORDINARY[field]
                for field in fields
            }
            for name, fields in self._fields.items()
        }

    def told(self, assignments: Iterable[str]) -> Values:
        """Of texts such as "temperature=21.5", "indoor.humidity=40", "indoor=absent" and, for a
        driver of one's own, "tmp117.0x00=0x0C80". Raises CommandError naming what can be said."""
        found: Values = {}
        for text in assignments:
            key, equals, value = text.partition("=")
            if not equals:
                raise Usage(f"{text!r} sets nothing: it looks like temperature=21.5")
            self._tell(found, key.strip(), value.strip())
        return found

    def table(self, path: Path) -> list[tuple[int, Values]]:
        """Of a CSV file: a column `seconds` since the start, and one for each that changes, named
        as for `told`. An empty cell changes nothing. In ms, in order of time."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
            raise BadFile(f"cannot read {path}: {why}") from None
        if not rows or rows[0][0].strip() != _TIME:
            raise BadFile(
                f"{path}: its first line names its columns, and the first of them is {_TIME}"
            )
        keys = [cell.strip() for cell in rows[0][1:]]
        changes = []
        for number, row in enumerate(rows[1:], 2):
            values: Values = {}
            try:
                seconds = _number(row[0].strip(), _TIME)
                for key, cell in zip(keys, row[1:], strict=False):
                    if cell.strip():
                        self._tell(values, key, cell.strip())
            except CommandError as error:
                raise BadFile(f"{path}, line {number}: {error}") from None
            changes.append((int(seconds * 1000), values))
        return sorted(changes, key=lambda change: change[0])

    def _tell(self, found: Values, key: str, value: str) -> None:
        if key in self._sensors and value in (ABSENT, PRESENT):
            found.setdefault(key, {})[_DEVICE] = value
            return
        hits = self._meant_by(key)
        if not hits:
            raise Usage(self._unknown(key))
        for name, field in hits:
            found.setdefault(name, {})[field] = self._value(name, field, value)

    def _meant_by(self, key: str) -> list[tuple[str, str]]:
        """The sensors, each with its driver's field, that a key may mean: by a sensor's name and
        the field, by the name that is published, or by the field of every sensor that has it."""
        name, dot, field = key.partition(".")
        if dot and name in self._sensors:
            one = self._sensors[name]
            if _is_own(one):
                return [(name, told) for told in _told_of_a_driver(one, field)]
            bare = field.removeprefix(one["prefix"])
            return [(name, each) for each in (field, bare) if each in self._fields[name]][:1]
        pairs = [(name, field) for name, fields in self._fields.items() for field in fields]
        published = [(n, f) for n, f in pairs if self._sensors[n]["prefix"] + f == key]
        return [pair for pair in pairs if pair[1] == key] or published

    def _value(self, name: str, field: str, text: str) -> Value:
        one = self._sensors[name]
        if _is_own(one) and field.isdigit():
            digits = _HEX.fullmatch(text)
            if not digits:
                raise Usage(
                    f"{name}, register {int(field):#04x}: {text!r} is not its bytes, two hex "
                    "digits each, as in 0x0C80"
                )
            return digits[1]
        value = _number(text, field)
        low, high = _limits(one).get(field, _AT_PIN.get(field, (None, None)))
        if (low is not None and value < low) or (high is not None and value > high):
            raise Usage(
                f"{field}={text}: {one['type']} measures {low:g} to "
                f"{'any' if high is None else f'{high:g}'}"
            )
        return value

    def _unknown(self, key: str) -> str:
        one = self._sensors.get(key.partition(".")[0])
        if one and one["type"] == "simulated":
            return f"{key}: a simulated sensor makes its values up by itself"
        known = [f"{name}.{field}" for name, fields in self._fields.items() for field in fields]
        for name, one in self._sensors.items():
            if _is_own(one):
                some = _AT_PIN if _at_pin(one) else ("0x00",)
                known += [f"{name}.{what}" for what in some]
        near = difflib.get_close_matches(key, [*known, *(k.partition(".")[2] for k in known)], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        there = ", ".join(known) or "nothing"
        return f"no sensor has {key!r}{hint} (there is {there})"


@functools.cache
def stand_ins() -> frozenset[str]:
    """The types that have an emulated device, as desk_path/emulated/sensors.py names them: it is
    for another interpreter, which imports what this one cannot."""
    path = DESK_PATH / "emulated" / "sensors.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)):
            continue
        if ast.unparse(node.targets[0]) == "TYPES":
            return frozenset(ast.literal_eval(key) for key in node.value.keys if key)
    raise LookupError(f"{path} has no TYPES")


def _is_own(one: Mapping[str, Any]) -> bool:
    """Whether its chip is known by its registers alone: a driver of one's own, or a new type."""
    return one["type"] == "driver" or one["type"] not in (*stand_ins(), "simulated")


def _at_pin(one: Mapping[str, Any]) -> bool:
    return one.get("pin") is not None


def _told_of_a_driver(one: Mapping[str, Any], field: str) -> list[str]:
    """The key under which its stand-in knows what is meant; none, if there is no such thing."""
    if _at_pin(one):
        return [field] if field in _AT_PIN else []
    register = _register(field)
    return [] if register is None else [str(register)]


def _fields(one: Mapping[str, Any]) -> list[str]:
    """The driver's fields that can be told."""
    kind = one["type"]
    if kind == "simulated" or _is_own(one):
        return []
    if kind == "ds18x20":
        ids = one["devices"] or []
        return [f"temperature_{text[3:]}" for text in ids] if len(ids) > 1 else ["temperature"]
    return [row[0].format(**one) for row in _declared(one)]


def _limits(one: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    rows = _declared(one)
    found = {row[0].format(**one): (row[2], row[3]) for row in rows}
    if one["type"] == "ds18x20":
        return dict.fromkeys(_fields(one), found["temperature"])
    return found


def _declared(one: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    return importlib.import_module(f"firmware.sensor_types.{one['type']}").FIELDS


def _register(text: str) -> int | None:
    try:
        number = int(text, 0)
    except ValueError:
        return None
    return number if 0 <= number <= 0xFFFF else None


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Usage(f"{what}: {text!r} is no number") from None
    if not math.isfinite(value):
        raise Usage(f"{what}: {text} is no number that can be measured")
    return value
