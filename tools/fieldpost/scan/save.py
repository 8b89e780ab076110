"""What a scan has found, added to a config.json on this computer."""

import contextlib
import json
import re
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
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_COMMA = re.compile(r"\s*,")


def add(path: Path, found: Iterable[Mapping[str, Any]]) -> tuple[Path, list[dict[str, Any]]]:
    """(config.json, entries added to its sensors): those that it has already are left alone, and
    so is everything else in it, its layout too. A file that does not exist is made in a folder
    that does. Raises CommandError.
    """
    path = meant(path)
    text, config = _read(path)
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
            partial.write_bytes(_with_sensors(text, added, config))
            partial.replace(path)
        except OSError as error:
            raise NotWritten(f"cannot write {path}: {error.strerror}") from None
    return path, added


def meant(path: Path) -> Path:
    """The config.json that is to be added to. Raises CommandError if its folder is not there: it
    may be mistyped."""
    file = config_at(path)
    folder = file.parent if file.suffix == ".json" else file
    if not folder.is_dir():
        raise BadFile(f"there is no folder {folder}")
    return file


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The file's text, and what it says."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "", {}
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    config, errors = files.parse(data, CONFIG)
    if errors or not isinstance(config, dict):
        raise BadConfig(f"{path}: {(errors or ['not a JSON object'])[0]}")
    return data.decode(), config


def _with_sensors(text: str, added: list[dict[str, Any]], config: dict[str, Any]) -> bytes:
    """The text with these entries at the end of its sensors, else the whole made anew."""
    span = _sensors_in(text)
    if span:
        start, end = span
        body = text[start : end - 1].rstrip()
        lines = [json.dumps(one, ensure_ascii=False) for one in added]
        # As the last sensor begins: on a line of its own, or behind the one before.
        before = re.search(r"\n[ \t]*(?=\{)", body)
        glue = before[0] if before else " "
        new = body + "".join(f",{glue}{line}" for line in lines) + text[len(body) + start :]
        with contextlib.suppress(ValueError):
            if json.loads(text[:start] + new) == config:
                return (text[:start] + new).encode()
    return for_board(config)


def _sensors_in(text: str) -> tuple[int, int] | None:
    """Where the list of the sensors begins and ends in a JSON object; None, if it is empty or not
    there."""
    decoder = json.JSONDecoder()
    at = text.find("{") + 1
    while at and (key := _KEY.match(text, at)):
        name, begin = decoder.raw_decode(key[1])[0], key.end()
        value, end = decoder.raw_decode(text, begin)
        if name == "sensors":
            return (begin, end) if value else None
        comma = _COMMA.match(text, end)
        at = comma.end() if comma else 0
    return None


def _place(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_as_number(entry.get(key)) for key in _PLACE)


def _as_number(value: Any) -> str:
    """0x76 and 118 are one address."""
    try:
        return str(int(value, 16)) if isinstance(value, str) else str(value)
    except ValueError:
        return value
