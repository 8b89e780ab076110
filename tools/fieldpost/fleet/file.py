"""The file that describes a fleet: which board is which node, and what each is configured with.

TOML, for the standard library reads it and it has comments. Read whole and checked whole, with the
firmware's own schema, before any board is touched; every error is told at once.
"""

import copy
import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.errors import BadConfig, BadFile, CommandError
from fieldpost.file_names import (
    DEPLOYMENT,
    FIRMWARE,
    OUTBOX,
    SETTINGS,
    STARTED,
    UPDATE_KEYS,
)
from fieldpost.keys.folder import KeyFolder
from firmware.config import check as schema

_SECTIONS = ("micropython", "config", "secrets", "files")
_TOP = (*_SECTIONS, "keys", "node")
_NODE = ("id", "name", "keys", *_SECTIONS)
_MICROPYTHON = ("version", "image", "board")
# TOML has no null, and a few keys of config.json are switched off by it.
_NULL = {"null": True}
# On the board; these are not for [files] to write.
_OURS = (*FIRMWARE, OUTBOX, DEPLOYMENT, *STARTED, *SETTINGS, UPDATE_KEYS)
_REFERENCES: tuple[set[str], ...] = ({"env"}, {"file"})


@dataclass(frozen=True)
class Firmware:
    """Which MicroPython a board is to have; without version and image, the one that it has.

    board: MicroPython's name of it, for one that can't be asked.
    """

    version: str | None = None
    image: Path | None = None
    board: str | None = None


@dataclass(frozen=True)
class Node:
    """id: as `plain_id` makes it. config, secrets: what its config.json and secrets.json say.

    files: contents of further files by path from the root of the board; a key may be among them.
    """

    id: str
    name: str
    micropython: Firmware
    config: dict[str, Any]
    secrets: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


def plain_id(text: str) -> str:
    """A serial number, unique id or MAC, however it is written, as one text to compare."""
    return re.sub(r"[\s:._-]", "", text).lower()


def load(path: Path) -> list[Node]:
    """The nodes of the file. Raises CommandError with everything that is wrong with it."""
    try:
        told = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: byte {error.start + 1} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BadFile(f"{path} is not TOML: {error}") from None
    except (ValueError, RecursionError):
        raise BadFile(
            f"{path} is no file of a fleet: nested too deep, or a number has too many digits"
        ) from None
    reader = _Reader(path.parent)
    nodes = reader.nodes(told)
    if reader.errors:
        count = "1 error" if len(reader.errors) == 1 else f"{len(reader.errors)} errors"
        listed = "\n".join(f"  {error}" for error in reader.errors)
        raise BadConfig(f"{path}: {count}, and no board was touched.\n{listed}")
    return nodes


class _Reader:
    """errors: texts, filled in on the way. No value of a secret gets into one."""

    def __init__(self, folder: Path) -> None:
        self.errors: list[str] = []
        self._folder = folder

    def nodes(self, told: dict[str, Any]) -> list[Node]:
        self._check_keys(told, _TOP, "")
        entries = told.get("node", [])
        is_list = isinstance(entries, list) and entries
        if not is_list or not all(isinstance(entry, dict) for entry in entries):
            self.errors.append("it has no nodes: each is a table [[node]]")
            return []
        found = [
            node
            for number, entry in enumerate(entries, 1)
            if (node := self._node(told, entry, number))
        ]
        self._check_unique("id", [(node.id, node.name) for node in found])
        self._check_unique("name", [(node.name, node.id) for node in found])
        return found

    def _node(self, told: dict[str, Any], entry: dict[str, Any], number: int) -> Node | None:
        where = f"[[node]] {number}"
        if isinstance(entry.get("name"), str):
            where += f" ({entry['name']})"
        self._check_keys(entry, _NODE, where)
        texts = {key: entry.get(key) for key in ("id", "name")}
        for key, value in texts.items():
            if not isinstance(value, str) or not plain_id(value):
                hint = " (`fieldpost boards --json` shows serial and uid)" if key == "id" else ""
                self.errors.append(f"{where}: {key} must be a text{hint}")
                return None
        before = len(self.errors)
        firmware = self._firmware(told, entry, where)
        config = self._section(told, entry, "config", where)
        if "node" in config:
            self.errors.append(f"{where}: config.node: the name of a node is its `name`")
        config = {"node": texts["name"], **config}
        secrets = self._section(told, entry, "secrets", where)
        secrets = self._resolved(secrets, f"{where}: secrets")
        files = self._files(told, entry, where) | self._keys(told, entry, where)
        if len(self.errors) == before:
            self._check_schema(config, secrets, where)
        return Node(
            plain_id(str(texts["id"])), str(texts["name"]), firmware, config, secrets, files
        )

    def _firmware(self, told: dict[str, Any], entry: dict[str, Any], where: str) -> Firmware:
        said = self._section(told, entry, "micropython", where)
        self._check_keys(said, _MICROPYTHON, f"{where}: micropython")
        for key, value in said.items():
            if not isinstance(value, str):
                self.errors.append(f"{where}: micropython.{key} must be a text")
                return Firmware()
        own = entry.get("micropython", {})
        if "version" in own and "image" not in own:
            said.pop("image", None)  # the node's own choice, in place of the common one
        elif "image" in own and "version" not in own:
            said.pop("version", None)
        if "version" in said and "image" in said:
            self.errors.append(
                f"{where}: micropython has both version and image, and an image has its version "
                "in it: leave one out"
            )
        image = self._folder / said["image"] if "image" in said else None
        if image and not image.is_file():
            self.errors.append(f"{where}: micropython.image: there is no file {image}")
        return Firmware(said.get("version"), image, said.get("board"))

    def _files(self, told: dict[str, Any], entry: dict[str, Any], where: str) -> dict[str, bytes]:
        found = {}
        for target, source in self._section(told, entry, "files", where).items():
            parts = target.split("/")
            if parts[0] in _OURS or not all(parts) or ".." in parts:
                self.errors.append(f"{where}: files: {target} is no place for a file of yours")
            elif not isinstance(source, str):
                self.errors.append(f"{where}: files.{target} must be the path of a file")
            else:
                path = self._folder / source.replace("{name}", str(entry["name"]))
                try:
                    found[target] = path.read_bytes()
                except OSError as error:
                    self.errors.append(
                        f"{where}: files.{target}: cannot read {path}: {error.strerror}"
                    )
        return found

    def _keys(self, told: dict[str, Any], entry: dict[str, Any], where: str) -> dict[str, bytes]:
        given = entry.get("keys", told.get("keys"))
        if given is None:
            return {}
        if not isinstance(given, str):
            self.errors.append(f"{where}: keys must be the path of a folder")
            return {}
        try:
            return {UPDATE_KEYS: KeyFolder(self._folder / given).node_file()}
        except CommandError as error:
            self.errors.append(f"{where}: keys: {error}")
            return {}

    def _section(
        self, told: dict[str, Any], entry: dict[str, Any], key: str, where: str
    ) -> dict[str, Any]:
        common, own = told.get(key, {}), entry.get(key, {})
        for value, place in ((common, f"[{key}]"), (own, f"{where}: {key}")):
            if not isinstance(value, dict):
                self.errors.append(f"{place} must be a table")
                return {}
        return own if set(own) in _REFERENCES else merged(common, own)

    def _check_keys(self, told: dict[str, Any], known: Iterable[str], where: str) -> None:
        for key in told:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f" (known: {', '.join(known)})"
                place = f"{where}: " if where else ""
                self.errors.append(f"{place}unknown key {key}{hint}")

    def _check_unique(self, what: str, pairs: list[tuple[str, str]]) -> None:
        values = [value for value, _ in pairs]
        for value in sorted({value for value in values if values.count(value) > 1}):
            others = ", ".join(other for mine, other in pairs if mine == value)
            self.errors.append(f"{what} {value} stands in several entries: {others}")

    def _check_schema(self, config: dict[str, Any], secrets: dict[str, Any], where: str) -> None:
        try:
            json.dumps(config, allow_nan=False)
        except (TypeError, ValueError):
            self.errors.append(f"{where}: config: dates, times, inf and nan are not for a node")
            return
        _, wrong = schema.check(copy.deepcopy(config), copy.deepcopy(secrets))
        self.errors += [f"{where}: {error}" for error in wrong]

    def _resolved(self, secrets: dict[str, Any], where: str) -> dict[str, Any]:
        """`secrets` with what its references refer to; a whole table may be one JSON file."""
        found = self._resolve(secrets, where)
        if isinstance(found, dict):
            return found
        try:
            table = json.loads(found)
        except (ValueError, TypeError):
            table = None
        if not isinstance(table, dict):
            self.errors.append(f"{where}: what it refers to is no JSON object")
            return {}
        return table

    def _resolve(self, value: Any, where: str) -> Any:
        if isinstance(value, list):
            return [self._resolve(one, f"{where}[{n}]") for n, one in enumerate(value)]
        if not isinstance(value, dict):
            if value and where.endswith(".password"):
                self.errors.append(
                    f"{where} stands in the file itself, which others may read. Refer to it: "
                    '{env = "NAME"} or {file = "PATH"}'
                )
            return value
        if set(value) == {"env"}:
            found = os.environ.get(str(value["env"]))
            if not found:
                self.errors.append(f"{where}: the environment variable {value['env']} is not set")
            return found or ""
        if set(value) == {"file"}:
            return self._read(self._folder / str(value["file"]), where)
        return {key: self._resolve(one, f"{where}.{key}") for key, one in value.items()}

    def _read(self, path: Path, where: str) -> str:
        try:
            return path.read_text(encoding="utf-8-sig").rstrip("\r\n")
        except OSError as error:
            self.errors.append(f"{where}: cannot read {path}: {error.strerror}")
        except UnicodeDecodeError:
            self.errors.append(f"{where}: {path} is not UTF-8")
        except ValueError:
            self.errors.append(f"{where}: no file can have such a name")
        return ""


def merged(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`common` with what `own` says otherwise: tables key by key, anything else whole."""
    result = {}
    for key in [*common, *(key for key in own if key not in common)]:
        value = own.get(key, common.get(key))
        if value == _NULL:
            result[key] = None
        elif isinstance(value, dict) and set(value) not in _REFERENCES:
            below: Any = common.get(key)
            is_table = isinstance(below, dict) and set(below) not in _REFERENCES
            result[key] = merged(below if is_table else {}, value)
        else:
            result[key] = value
    return result
