"""A setting that is typed on the page: which there are, and whether a node could take it.

The check is the firmware's own, so that what is refused here would be refused there.
"""

import functools
import json
from typing import Any

from fieldpost.config.reference import Row, reference
from firmware.config import change, check

_OTHERS: dict[str, Any] = {"node": "node", "mqtt": {"host": "192.168.1.10"}}
_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}
_ELSEWHERE = ("sensors", "drivers")


@functools.cache
def known() -> list[dict[str, str]]:
    """The keys that can be set one by one, with what is allowed, the default and a text."""
    return [
        {"key": row.key, "type": row.type, "default": row.default, "allowed": row.allowed}
        | {"text": row.text}
        for row in reference()
        if _is_single(row.key) and row.type not in ("object", "list") and _goes_alone(row)
    ]


def read_value(typed: str) -> Any:
    """What was typed, as `fieldpost cmd NODE set` takes it: JSON, else text."""
    try:
        value = json.loads(typed)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return typed
    return value


def refusal(key: str, value: Any, before: dict[str, Any] | None = None) -> str | None:
    """Why no node would take that value for that key; None if one may.

    before: what else is known of the node's settings. Beside them it may still refuse, as with a
    setting of its own that does not go with this one.
    """
    if not key.strip():
        return "type the key of a setting, such as sample_s"
    if key.partition(".")[0] in _ELSEWHERE:
        return f"{key}: what is wired goes to a node by fieldpost config push --node"
    config = change.copied({**_OTHERS, **(before or {})})
    errors = _errors(config)
    try:
        change.put(config, key, value)
    except ValueError as error:
        return str(error)
    new = [one for one in _errors(config) if one not in errors]
    return "; ".join(new) or None


def _errors(config: dict[str, Any]) -> list[str]:
    return check.check(config, _SECRETS)[1]


def _goes_alone(row: Row) -> bool:
    """Not so a key of a section that needs others beside it."""
    return row.default in ("", "required") or not refusal(row.key, read_value(row.default))


def _is_single(key: str) -> bool:
    return " " not in key and "[" not in key and key.partition(".")[0] not in _ELSEWHERE
