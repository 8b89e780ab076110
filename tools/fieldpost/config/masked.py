"""A configuration without what may be a credential: to be copied, or to be shown."""

import json
from typing import Any

from fieldpost.board_json import for_board

REMOVED = "(not copied)"
_SECRET_WORDS = ("pass", "psk", "pwd", "secret", "token", "credential", "login", "user", "ssid")


def without_secrets(text: bytes) -> bytes:
    """A JSON object with all that may be a credential in the wrong place taken out."""
    try:
        return for_board(cleaned(json.loads(text)))
    except (ValueError, RecursionError):
        # Not to be understood, so not to be cleaned.
        return for_board({"error": "this file is not JSON, and was not copied"})


def is_secret(key: str) -> bool:
    """Whether what stands under this key may be a credential."""
    return any(word in key.lower() for word in _SECRET_WORDS)


def cleaned(value: Any) -> Any:
    """A JSON value with REMOVED in place of what may be a credential."""
    if isinstance(value, dict):
        return {key: REMOVED if is_secret(key) else cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return without_secrets(value.encode()).decode()  # trial.json holds a config.json
    return value
