"""What nodes publish, read with care: who may publish can send anything under their topics.

One parser for every command that reads such messages, so that all take and refuse the same.
"""

import json
import math
from typing import Any

# Far beyond what a node sends: its largest message is a discovery document of some kB.
BYTES_MAX = 65_536
DEPTH_MAX = 16
_INTEGER_MAX = 2**63


class Unreadable(ValueError):
    """No message of a node's. The text says why, and quotes nothing of it."""


def read(payload: bytes | bytearray | str) -> dict[str, Any]:
    """The JSON object in `payload`: numbers are finite and below 2^63, and it is not nested
    deeper than DEPTH_MAX. Raises Unreadable, and nothing else, for whatever is there."""
    if len(payload) > BYTES_MAX:
        raise Unreadable(f"longer than {BYTES_MAX} bytes")
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        told: Any = json.loads(
            text, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except Unreadable:
        raise
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError:
        raise Unreadable("not JSON") from None
    if not isinstance(told, dict):
        raise Unreadable("not a JSON object")
    _check_depth(told)
    return told


def number(value: Any, least: float, most: float) -> float | None:
    """`value` if it is a number from `least` to `most`, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if least <= value <= most else None


def _check_depth(told: Any) -> None:
    level = [told]
    for _ in range(DEPTH_MAX):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise Unreadable("nested too deep")


def _constant(name: str) -> float:
    raise Unreadable(f"{name} is no number in JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unreadable("a number is too large")
    return value


def _integer(text: str) -> int:
    # Counted before it is converted, which takes long for many digits.
    if len(text) > 20 or abs(value := int(text)) > _INTEGER_MAX:
        raise Unreadable("a number is too large")
    return value
