"""How often a node on a cable wakes, as its board was last given it or has said it: for whoever
waits for its next wake."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldpost.board.ports import Port, port_named
from fieldpost.paths import running_folder

_FILE = "wakes"
_BOARDS_MAX = 200
# As firmware/config/keys.py has it.
_SAMPLE_S = 60.0
_SLEEP_MAX_S = 86_400.0
# What a node says on its console before it sleeps.
_ASLEEP = re.compile(rb"asleep for (\d+(?:\.\d+)?) s")


def remember(device: str, config: dict[str, Any]) -> None:
    """The board at this port has got this config.json. What can't be written down is not known."""
    known = _read()
    key = _key(port_named(device))
    known.pop(key, None)
    if config.get("mode") == "duty_cycle":
        sample_s = config.get("sample_s", _SAMPLE_S)
        if isinstance(sample_s, int | float) and 0 < sample_s <= _SLEEP_MAX_S:
            known[key] = float(sample_s)
    newest = dict(list(known.items())[-_BOARDS_MAX:])
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(newest), encoding="utf-8")


def interval_s(port: Port) -> float | None:
    """The seconds from wake to wake; None: not known."""
    return _read().get(_key(port))


def asleep_s(console: bytes) -> float | None:
    """For how long the node sleeps that has printed this last; None: it has not said."""
    found = _ASLEEP.findall(console)
    return float(found[-1]) if found else None


def _key(port: Port) -> str:
    return f"{port.usb_id} {port.serial}" if port.serial else port.device


def _file() -> Path:
    return running_folder() / _FILE


def _read() -> dict[str, float]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: one for key, one in known.items() if isinstance(one, float)}
