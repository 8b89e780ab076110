"""A node's config.json and secrets.json on the host: reading and checking.

The checks are the firmware's own (`firmware/config/check.py`).
"""

import difflib
import functools
import json
import re
from pathlib import Path
from typing import Any

from fieldpost.config import pins, suggest
from fieldpost.config.reference import reference
from fieldpost.file_names import CONFIG, SECRETS, config_at, secrets_beside
from firmware.config import check as config

_SECRETS_TEMPLATE = (
    '{"wifi": [{"ssid": "...", "password": "..."}], "mqtt": {"user": "...", "password": "..."}}'
)
# In the place of what a node on this desk does without.
_UNFINISHED: dict[str, Any] = {"node": "node", "mqtt": {"host": "192.168.1.10"}}
_ANY_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}
# Far above what a board has the heap for.
_BYTES_MAX = 65_536
_NO_TYPE = re.compile(r"sensors\[\d+\]\.type: found \"")
_UNKNOWN = re.compile(r"([^.: ]+): unknown key; allowed: (.*)")
_OWN_DRIVER = (
    '. Any other chip is "type": "driver" with a driver of your own, "driver": "module:Class"; '
    "docs/desk.md writes one"
)
# A backslash that none escapes, and one half of a pair in UTF-16.
_SURROGATE = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89a-fA-F])[0-9a-fA-F]{2}")


def load(path: Path, board: str | None = None) -> tuple[dict[str, Any] | None, list[str]]:
    """Return `(settings, errors)` for a config.json, or the folder it is in, and the secrets.json
    beside it. `settings` is as `firmware.config.check` returns it, None if there is any error.
    board: whose pins are suggested; None: that which the file names.
    """
    path = config_at(path)
    if missing := _folder_missing(path):
        return None, [missing]
    parsed, errors = _read(path, CONFIG, "docs/configuration.md has an example")
    secrets, secrets_errors = _read(secrets_beside(path), SECRETS, "with " + _SECRETS_TEMPLATE)
    settings, wrong = config.check(parsed, secrets)
    # About a file that could not be read, its own error says all.
    in_secrets = [error for error in wrong if error.startswith(SECRETS)]
    errors = errors or [error for error in wrong if error not in in_secrets]
    return settings, advised(errors + (secrets_errors or in_secrets), parsed, board)


def load_unfinished(
    path: Path, board: str | None = None
) -> tuple[dict[str, Any] | None, list[str]]:
    """The same of a node that has no name, no network or no broker yet, as if it had them."""
    parsed, errors = _read(config_at(path), CONFIG, "docs/configuration.md has an example")
    if not isinstance(parsed, dict):
        return None, errors
    mqtt = parsed.get("mqtt", {})
    if isinstance(mqtt, dict):
        mqtt = {**_UNFINISHED["mqtt"], **mqtt}
    settings, wrong = config.check({**_UNFINISHED, **parsed, "mqtt": mqtt}, _ANY_SECRETS)
    return settings, advised(errors + wrong, parsed, board)


def _folder_missing(path: Path) -> str | None:
    """What is wrong with a path that leads nowhere: it may be mistyped, and no file is missing."""
    folder = path.parent if path.suffix == ".json" else path
    return None if path.exists() or folder.is_dir() else f"there is no folder {folder}"


def advised(errors: list[str], config: Any, board: str | None = None) -> list[str]:
    """The firmware's errors about a parsed config.json, with what a person without a type for a
    sensor may do, the key that is meant, and pins for those that are missing."""
    chip = pins.chip_or_none(board or (isinstance(config, dict) and config.get("board")))
    errors = [error + _OWN_DRIVER if _NO_TYPE.match(error) else error for error in errors]
    errors = [_UNKNOWN.sub(_nearest, error) for error in errors]
    return suggest.with_pins(errors, config, chip)


def _nearest(unknown: re.Match[str]) -> str:
    """A key that is meant, in the place of all that there are; the board itself looks for a slip
    of one letter alone."""
    near = difflib.get_close_matches(unknown[1], unknown[2].split(", "), 1)
    return f'{unknown[1]}: unknown key; did you mean "{near[0]}"?' if near else unknown[0]


def check_bytes(
    config_json: bytes, secrets_json: bytes
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return `(settings, errors)`, as `load` does, for the bytes of the two files."""
    parsed, errors = parse(config_json, CONFIG)
    secrets, more = parse(secrets_json, SECRETS)
    errors += more
    return (None, errors) if errors else config.check(parsed, secrets)


class _NotJson(Exception):
    """What the board's own parser would take differently, or not at all."""


def _refuse_constant(text: str) -> None:
    raise _NotJson(f"{text} is no JSON value")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        # A key that the schema does not know may be a credential in the wrong place.
        known = [key for key in repeated if key in known_keys()]
        raise _NotJson("a key stands twice in one object: " + ", ".join(known or ["(not shown)"]))
    return dict(pairs)


@functools.cache
def known_keys() -> set[str]:
    """Every word that is a key in config.json or secrets.json."""
    return {row.key.split(" (")[0].split(".")[-1].split(" ")[-1] for row in reference()}


def _read(path: Path, name: str, remedy: str) -> tuple[Any, list[str]]:
    """Return what a JSON file says, and the errors that kept it from being read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, [f"{name}: missing; create {path} ({remedy})"]
    except OSError as error:
        return None, [f"{name}: cannot read {path}: {error.strerror}"]
    return parse(data, name)


def parse(data: bytes, name: str) -> tuple[Any, list[str]]:
    """Return what the bytes of the file `name` say, as a board reads it, and the errors."""
    if len(data) > _BYTES_MAX:
        return None, [f"{name}: {len(data)} bytes, and no board takes more than {_BYTES_MAX}"]
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            return None, [f"{name}: begins with a byte order mark; save it as UTF-8 without one"]
        if found := _SURROGATE.search(text):
            return None, [
                f"{name}: {found[1]} is half a character, and a board does not join two halves: "
                "write the character itself, in UTF-8 (Python: json.dumps with ensure_ascii=False)"
            ]
        return json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated
        ), []
    except UnicodeDecodeError as error:
        return None, [f"{name}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"]
    except json.JSONDecodeError as error:
        where = f"{name} line {error.lineno}, column {error.colno}"
        return None, [f"{where}: not JSON: {error.msg}{_json_hint(error)}"]
    except _NotJson as error:
        return None, [f"{name}: {error}"]
    except RecursionError:
        return None, [f"{name}: not JSON for a node: nested too deep"]
    except ValueError:
        return None, [f"{name}: not JSON for a node: a number has too many digits"]


def _json_hint(error: json.JSONDecodeError) -> str:
    """Name the usual slip, if it is one; never quote the text, which may hold a secret."""
    if not error.doc.strip():
        return " (the file is empty)"
    here = error.doc[error.pos : error.pos + 1]
    before = error.doc[: error.pos].rstrip()[-1:]
    if here in ("/", "#"):
        return " (JSON has no comments)"
    if here == "'":
        return ' (texts stand in "double quotes")'
    if "trailing comma" in error.msg or (here in ("}", "]") and before == ","):
        return " (no comma after the last one)"
    return ""
