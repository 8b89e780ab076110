"""What a scan has found, added to a config.json on this computer."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fieldpost.board_json import for_board
from fieldpost.config import files
from fieldpost.errors import BadConfig, BadFile, NotWritten
from fieldpost.file_names import CONFIG, config_at
from fieldpost.scan.scan import named

# What makes two entries one sensor on the bench, whatever else is said of it.
_PLACE = ("type", "scl", "sda", "address", "pin")


def add(path: Path, found: Iterable[Mapping[str, Any]]) -> tuple[Path, list[dict[str, Any]]]:
    """(config.json, entries added to its sensors): those that it has already are left alone, and
    so is everything else in it. A file that does not exist is made. Raises CommandError.
    """
    path = config_at(path)
    config = _read(path)
    sensors = config.get("sensors", [])
    if not isinstance(sensors, list) or not all(isinstance(one, dict) for one in sensors):
        raise BadConfig(f"{path}: its sensors are no list of objects")
    there = {_place(one) for one in sensors}
    new = [
        {key: value for key, value in one.items() if key not in ("name", "prefix")}
        for one in found
        if _place(one) not in there
    ]
    names = {str(one.get("name", one.get("type"))) for one in sensors}
    added = named(new, names)
    if added:
        config["sensors"] = [*sensors, *added]
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(for_board(config))
            partial.replace(path)
        except OSError as error:
            raise NotWritten(f"cannot write {path}: {error.strerror}") from None
    return path, added


def _read(path: Path) -> dict[str, Any]:
    try:
        config, errors = files.parse(path.read_bytes(), CONFIG)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    if errors or not isinstance(config, dict):
        raise BadConfig(f"{path}: {(errors or ['not a JSON object'])[0]}")
    return config


def _place(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(key)) for key in _PLACE)
