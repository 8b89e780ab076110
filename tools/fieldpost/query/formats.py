"""CSV and SenML: files of text, written as the rows come."""

import csv
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from fieldpost.home_assistant.units import unit_of
from fieldpost.query.resample import is_number

# RFC 8428, section 12.1, and RFC 8798 for the ones with a factor.
_SENML_UNITS = {
    "°C": "Cel",
    "hPa": "hPa",
    "lx": "lx",
    "V": "V",
    "mV": "mV",
    "A": "A",
    "W": "W",
    "cm": "cm",
    "mm": "mm",
    "m": "m",
    "ppm": "ppm",
    "µg/m³": "ug/m3",
    "kg": "kg",
    "g": "g",
}


def to_csv(table: Iterable[Sequence[Any]], heads: Sequence[str], out: TextIO) -> int:
    """Write it with its heads (RFC 4180, but for line ends); how many rows. What a cell would be
    taken for a formula is what a spreadsheet does with text; numbers stay numbers."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    count = 0
    for row in table:
        writer.writerow([_cell(value) for value in row])
        count += 1
    return count


def to_senml(
    table: Iterable[tuple[str, float, dict[str, Any]]], out: TextIO, base: str = "urn:dev:org:"
) -> int:
    """Write (node, time, values) as one SenML pack in JSON (RFC 8428); how many values. A name is
    `base`, the node, a colon, the field."""
    count = 0
    node_before = None
    out.write("[")
    for node, time, values in table:
        for name, value in values.items():
            record: dict[str, Any] = {}
            if node != node_before:
                record["bn"] = f"{base}{_in_a_name(node)}:"
                node_before = node
            record["n"] = _in_a_name(name)
            if is_number(value) and (unit := _unit(name)):
                record["u"] = unit
            record["t"] = time
            record.update(_value(value))
            out.write((",\n" if count else "\n") + json.dumps(record, ensure_ascii=False))
            count += 1
    out.write("\n]\n")
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        # What came from a node is no formula of a spreadsheet's.
        return f"'{value}"
    return value


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"vb": value}
    if is_number(value):
        return {"v": value}
    return {"vs": value if isinstance(value, str) else json.dumps(value)}


def _in_a_name(text: str) -> str:
    """Section 4.5.1: letters, digits and some marks; the first is a letter or a digit."""
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in "-:./_") else "_" for one in text
    )
    return plain if plain[:1].isalnum() else f"0{plain}"


def _unit(name: str) -> str | None:
    unit = unit_of(name)
    if unit == "%":
        return "%RH" if "humidity" in name else "%"
    return _SENML_UNITS.get(unit) if unit else None
