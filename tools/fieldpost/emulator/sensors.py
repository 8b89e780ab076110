"""The sensors of an emulated board: which of them are wired to it, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.emulator.engine import Engine
from fieldpost.errors import Usage
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

# What has no device by its nature.
_NO_DEVICE = ("simulated",)
_WIRES = ("scl", "sda", "pin", "tx", "rx", "trigger", "echo", "clock", "data")


@dataclass(frozen=True)
class Told:
    """What the command line says of the sensors. extra: `--device`. settings: `--set`. table:
    `--values`."""

    extra: Sequence[str] = ()
    settings: Sequence[str] = ()
    table: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.extra or self.settings or self.table)


@dataclass(frozen=True)
class Wired:
    """plan: for the emulator; None if nothing is wired. lines: what to say at the start."""

    plan: dict[str, Any] | None
    lines: list[str] = field(default_factory=list)


def wire(
    engine: Engine,
    given: Sequence[Mapping[str, Any]],
    checked: Sequence[Mapping[str, Any]],
    sample_s: float,
    told: Told,
) -> Wired:
    """Of a configuration's sensors, as in its file and checked, and of the command line.

    Raises CommandError about what cannot be wired or told.
    """
    if told and not engine.wires:
        raise Usage(f"no sensor can be wired to the emulated {engine.title}")
    everyone = [*checked, *devices.parse(told.extra, given)]
    there = [one for one in everyone if engine.has_device(one)]
    absent = [one for one in everyone if one not in there and one["type"] not in _NO_DEVICE]
    lines = []
    if there:
        lines.append("Wired to it: " + "; ".join(_described(one) for one in there))
        if engine.wires_note:
            lines.append(engine.wires_note)
    if absent:
        names = ", ".join(_name(one) for one in absent)
        lines.append(f"Not there, for want of an emulated device, and so failing: {names}")
    made = plan(there, sample_s, told.settings, told.table)
    return Wired(made if there else None, lines)


def _name(one: Mapping[str, Any]) -> str:
    return one["name"] if one["name"] == one["type"] else f"{one['name']} ({one['type']})"


def _described(one: Mapping[str, Any]) -> str:
    address = one.get("address")
    at = "" if address is None else f" at {address:#04x}"
    wires = [f"{key.upper()} {one[key]}" for key in _WIRES if one.get(key) is not None]
    return ", ".join([_name(one) + at, *wires])
