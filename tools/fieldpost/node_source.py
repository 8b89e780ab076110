"""A node as it lies in a folder, for another place than the field: this desk, an emulated board.

Its networks, its broker and its time are those of that place; what it measures is its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.config import files as config_files
from fieldpost.drivers import folder as own_drivers
from fieldpost.drivers import named
from fieldpost.drivers.folder import Drivers
from fieldpost.errors import BadConfig, BadFile
from fieldpost.file_names import CONFIG, SECRETS, config_at, secrets_beside
from firmware.config import check as schema

# What is to be tried out may well have no secrets yet, and needs none of the field's.
_SECRETS = {"wifi": [{"ssid": "bench", "password": "no-password"}]}


@dataclass(frozen=True)
class NodeSource:
    """config: as in the file, with what was lacking. settings: the same checked, with every
    default. drivers: those of one's own."""

    config: dict[str, Any]
    settings: dict[str, Any]
    drivers: Drivers | None


def read(
    at: Path | None,
    drivers: Path | None,
    example: Mapping[str, Any],
    *,
    name: str,
    host: str | None,
    unfinished: bool = False,
) -> NodeSource:
    """Of a config.json, or the folder that it is in; None: of an example.

    drivers: their folder; None: beside config.json, if that names any. name, host: of a node that
    has none, and of its broker (None: it must have one). unfinished: a driver that is no Python
    yet is taken, too. Raises CommandError with all that is wrong.
    """
    config = dict(example) if at is None else _config(at)
    config.setdefault("node", name)
    mqtt = config.get("mqtt", {})
    if host is not None and isinstance(mqtt, dict):
        config["mqtt"] = {"host": host, **mqtt}
    settings, errors = schema.check(config, _SECRETS)
    if settings is None:
        raise BadConfig("\n".join(config_files.advised(errors, config)))
    if drivers is None and at is not None and named.elsewhere(settings["sensors"]):
        drivers = config_at(at).parent
    found = own_drivers.find(drivers) if drivers else None
    if wrong := named.errors(config.get("sensors"), found, unfinished=unfinished):
        raise BadConfig("\n".join(wrong))
    return NodeSource(config, settings, found)


def login(at: Path | None) -> dict[str, Any]:
    """The secrets that go with the configuration: nothing, if there are none yet."""
    beside = None if at is None else secrets_beside(config_at(at))
    if beside is None or not beside.exists():
        return {}
    found, errors = config_files.parse(_bytes(beside), SECRETS)
    if errors or not isinstance(found, dict):
        raise BadConfig("\n".join(errors) or f"{beside} is no JSON object")
    return found


def moved(config: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A configuration with these sections in the place of the field's, and no address of its."""
    wifi = {key: value for key, value in config.get("wifi", {}).items() if key != "static"}
    return {**config, "wifi": wifi, **changes}


def _config(at: Path) -> dict[str, Any]:
    if not at.exists():
        what = "file" if at.suffix == ".json" and at.parent.is_dir() else "folder"
        raise BadFile(f"there is no {what} {at}. Without one an example runs")
    path = config_at(at)
    found, errors = config_files.parse(_bytes(path), CONFIG)
    if errors or not isinstance(found, dict):
        raise BadConfig("\n".join(errors) or f"{path} is no JSON object")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(
            f"cannot read {path}: {error.strerror}. Without a folder an example runs"
        ) from None
