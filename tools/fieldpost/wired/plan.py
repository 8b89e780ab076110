"""The plan that `emulated.desk.Desk` wires by: which sensors there are, and what they measure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpost.wired.values import Emulated


def plan(
    sensors: Sequence[Mapping[str, Any]],
    sample_s: float,
    settings: Sequence[str] = (),
    table: Path | None = None,
) -> dict[str, Any]:
    """Of the checked sensors of a configuration; emulated/desk.py says what is in it.

    sample_s: between two readings. settings, table: what `--set` and `--values` say of them.
    Raises CommandError about what cannot be told.
    """
    emulated = Emulated(sensors)
    values = emulated.ordinary()
    for name, new in emulated.told(settings).items():
        values.setdefault(name, {}).update(new)
    return {
        "sensors": list(sensors),
        "values": values,
        "changes": emulated.table(table) if table else [],
        "sample_ms": int(sample_s * 1000),
    }
