"""What a board says, read with care: a damaged one, or none of ours, may print anything.

A shape says what is expected: a type, several of which one fits, a list of one shape, a dict of
shapes by key (a key that ends in "?" may be missing), or {str: shape} for any keys.
"""

import json
from typing import Any

from fieldpost.board.errors import BoardError

TEXT_OR_NONE = (str, type(None))
NUMBER_OR_NONE = (int, type(None))
# A board's numbers are sizes, pins and versions.
_NUMBER_MAX = 1 << 40


class Senseless(BoardError):
    """An answer that no board of ours gives."""

    code = "board_senseless"


def last_line(port: str, said: bytes, shape: Any) -> Any:
    """The JSON in the last line of what the board on `port` printed. Raises BoardError."""
    try:
        value = json.loads(said.decode().splitlines()[-1])
    except (ValueError, IndexError, RecursionError):
        value = None
    if not fits(value, shape):
        raise senseless(port)
    return value


def senseless(port: str) -> Senseless:
    """The error for what the board on this port has said."""
    return Senseless(
        f"what the board on {port} says makes no sense. Press its reset button, try another "
        "cable, and repeat the command."
    )


def json_or_none(text: bytes | str) -> Any:
    """What a file of a board holds; None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def fits(value: Any, shape: Any) -> bool:
    """Whether `value` is of that shape."""
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(one, shape[0]) for one in value)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if str in shape:
            return all(fits(one, shape[str]) for one in value.values())
        return all(_has(value, key, one) for key, one in shape.items())
    if shape is int:
        return type(value) is int and abs(value) <= _NUMBER_MAX
    return isinstance(value, shape)


def _has(value: dict[str, Any], key: str, shape: Any) -> bool:
    if key.endswith("?"):
        key = key[:-1]
        return key not in value or fits(value[key], shape)
    return key in value and fits(value[key], shape)
