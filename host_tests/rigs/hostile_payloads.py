"""Payloads of nodes, spoilt at random: what anybody who may publish can send."""

import json
import random
from typing import Any

SCALARS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e30,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "\x1b]0;title\x07\x1b[2J",
    "\ud83d\ude00\u202e\u0085",
    "x" * 5000,
)
MESSAGES: tuple[dict[str, Any], ...] = (
    {
        "boot": 3,
        "seq": 41,
        "ts": 1_795_368_917,
        "temperature": 21.5,
        "failed": {"dht": "OSError 5"},
    },
    {"state": "asleep", "until": 1_795_368_917},
    {"firmware": "0.1.0", "uptime_s": 5, "rssi": -61, "outbox": {"depth": 3}, "causes": {"x": 2}},
    {"id": "7", "do": "set", "key": "sample_s", "value": 60},
    {"id": "7", "ok": False, "error": "not JSON"},
)


def spoilt(source: random.Random, value: Any, depth: int = 0) -> Any:
    """The value with some of what it holds replaced."""
    if source.random() < 0.15:
        nested: Any = source.choice(SCALARS)
        for _ in range(source.choice((0, 0, 1, 3))):
            nested = [nested] if source.random() < 0.5 else {"state": nested}
        return nested
    if isinstance(value, dict):
        return {key: spoilt(source, one, depth + 1) for key, one in value.items()}
    return value


def payload(source: random.Random) -> bytes:
    """One message, or what is left of it."""
    data = json.dumps(spoilt(source, source.choice(MESSAGES))).encode()
    how = source.randrange(6)
    if how == 0:
        data = bytearray(data)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        return bytes(data)
    if how == 1:
        return data[: source.randrange(len(data))]
    if how == 2 and source.random() < 0.2:
        return source.choice((b"[", b'{"a":', b"\xff\xfe", b"1e", b"9")) * source.choice((3, 3000))
    return data
