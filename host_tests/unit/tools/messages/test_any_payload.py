"""What the tools promise for any message at all: it is shown or counted, and nothing is raised."""

import io
import json
import random
from typing import Any

from fieldpost.messages.telemetry import Kind, Verifier
from fieldpost.monitor.events import Event
from fieldpost.monitor.screen import Screen

SEED = 20261127
ROUNDS = 1500
KINDS = ("telemetry", "status", "health", "cmd", "cmd/result", "else")
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


def test_any_message_is_shown_as_text_that_no_terminal_obeys() -> None:
    source = random.Random(SEED)
    for width in (40, 160, None):
        file = io.StringIO()
        screen = Screen("fieldpost", None, file, width)
        for _ in range(ROUNDS // 3):
            topic = f"fieldpost/{source.choice(('n', '', chr(27)))}/{source.choice(KINDS)}"
            text = payload(source).decode("utf-8", "replace")
            screen.show(Event("mqtt", text, topic, source.random() < 0.5, 1_795_368_917.0))
        shown = file.getvalue()
        assert shown.count("\n") >= ROUNDS // 3
        assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


def test_any_reading_is_judged_and_counted_and_memory_is_bounded() -> None:
    source = random.Random(SEED)
    verifier = Verifier()
    for _ in range(ROUNDS):
        node = source.choice(("n", "m", "x" * 5000))
        verdict = verifier.feed(f"fieldpost/{node}/telemetry", payload(source))
        assert isinstance(verdict.kind, Kind)
        str(verdict)
    assert sum(verifier.totals.values()) == ROUNDS
    assert 0 < verifier.totals[Kind.MALFORMED] < ROUNDS
    for _node, _boot, missing in verifier.missing():
        assert len(list(missing)) <= ROUNDS
