"""What commands on this computer have learnt of boards, for those that come after: at which port
one was met, and how often it wakes. By that a port that is away while its board sleeps is told
from one that never was. What can't be written down is not known."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldpost.board.ports import Port
from fieldpost.paths import running_folder

_PORTS = "ports"
_WAKES = "wakes"
_ENTRIES_MAX = 200
# As firmware/config/keys.py has it.
_SAMPLE_S = 60.0
_SLEEP_MAX_S = 86_400.0
# A bridge keeps its port while its board sleeps, and an emulated board its console.
_NEVER_AWAY = ("bridge", "emulated", "probe")
_one_at_a_time = threading.Lock()


def remember(port: Port) -> None:
    """A board answered at this port."""
    if port.kind not in _NEVER_AWAY and "://" not in port.device:
        _put(_PORTS, port.device, _key(port))


def was_met_at(port: Port) -> bool:
    """Whether a board answered there before that may be away now."""
    return port.device in _read(_PORTS)


def remember_interval(port: Port, config: dict[str, Any]) -> None:
    """The board at this port has got this config.json."""
    known_s = None
    if config.get("mode") == "duty_cycle":
        sample_s = config.get("sample_s", _SAMPLE_S)
        if isinstance(sample_s, int | float) and 0 < sample_s <= _SLEEP_MAX_S:
            known_s = float(sample_s)
    _put(_WAKES, _key(port), known_s)


def interval_s(port: Port) -> float | None:
    """The seconds from wake to wake of the board that is there, or was before it slept; None: not
    known."""
    # Of a port that is away nothing is known but its name.
    board = _key(port) if port.serial else _read(_PORTS).get(port.device, port.device)
    found = _read(_WAKES).get(board) if isinstance(board, str) else None
    return found if isinstance(found, float) else None


def _key(port: Port) -> str:
    return f"{port.usb_id} {port.serial}" if port.serial else port.device


def _file(name: str) -> Path:
    return running_folder() / name


def _read(name: str) -> dict[str, Any]:
    try:
        known = json.loads(_file(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _put(name: str, key: str, value: str | float | None) -> None:
    """At the end, as the newest; None: taken out."""
    with _one_at_a_time, suppress(OSError):
        known = _read(name)
        known.pop(key, None)
        if value is not None:
            known[key] = value
        file = _file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{name}.{os.getpid()}")
        part.write_text(json.dumps(dict(list(known.items())[-_ENTRIES_MAX:])), encoding="utf-8")
        part.replace(file)
