"""`fieldpost cmd NODE DO …`: tells a node something and waits for its answer.

A node that sleeps finds the command at its next delivery.
"""

import json
import sys
from typing import Any

from fieldpost.errors import Usage
from fieldpost.messages.dialogue import Dialogue, Question
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral, to_json

# What the one argument of a command is called, so that it can be typed alone.
_ALONE = {"get": "key", "stay_awake": "minutes", "safe_mode": "on"}
_SWITCH = {"on": True, "off": False}
# What a `set` has of its own; any other name is that of a key of config.json.
_OF_SET = ("key", "value", "values", "more", "after", "mark")
_RESERVED = (*_OF_SET, "id", "do", "")


def parse_arguments(words: list[str], do: str = "") -> dict[str, Any]:
    """["key=a", "value=60"] -> {"key": "a", "value": 60}; a value is JSON, else text.

    So are the short forms: `get a`, `set a=60`, `set a=60 b.c=5`, `stay_awake 10`.
    """
    if do == "set" and (short := _set(words)):
        return short
    if len(words) == 1 and "=" not in words[0] and do in _ALONE:
        value = words[0] if do == "get" else _SWITCH.get(words[0], _value(words[0]))
        return {_ALONE[do]: value}
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise Usage(f"{word!r}: an argument is NAME=VALUE, such as {_example(do)}")
        if name in ("id", "do"):
            raise Usage(f"{name} is not an argument: it is made here")
        found[name] = _value(text)
    return found


def _example(do: str) -> str:
    return {"set": "sample_s=60", "get": "key=sample_s"}.get(do, "minutes=10")


def _set(words: list[str]) -> dict[str, Any] | None:
    """Of keys of config.json with their values; None if the command's own names are typed."""
    if len(words) == 2 and not any("=" in word for word in words):
        words = ["=".join(words)]
    pairs = [(key, _value(text)) for key, equals, text in map(_parted, words) if equals]
    if not pairs or len(pairs) < len(words) or any(key in _RESERVED for key, _ in pairs):
        return None
    if len(pairs) == 1:
        return {"key": pairs[0][0], "value": pairs[0][1]}
    return {"values": [[key, value] for key, value in pairs]}


def _parted(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return value


def send(
    node: str,
    do: str,
    arguments: dict[str, Any],
    *,
    broker: str = mqtt_url.DEFAULT_URL,
    base: str = "fieldpost",
    timeout_s: float | None = None,
    tls: ClientFiles | None = None,
) -> dict[str, Any]:
    """The node's answer; Dialogue has what `timeout_s` means. Raises CommandError without one."""
    with Dialogue(node, broker=broker, base=base, timeout_s=timeout_s, tls=tls) as dialogue:
        return dialogue.ask(Question(do, arguments))[0]


def cmd_command(
    node: str,
    do: str,
    words: list[str],
    broker: str,
    timeout_s: float | None,
    as_json: bool,
    tls: ClientFiles | None = None,
) -> int:
    """Send, and print the answer. Status 0 if the node did it."""
    answer = send(
        node, do, parse_arguments(words, do), broker=broker, timeout_s=timeout_s, tls=tls
    )
    if as_json:
        why = ("node_refused", str(answer.get("error", "it does not say why")))
        print(result(answer, None if answer.get("ok") else why, None))
    elif answer.get("ok"):
        print(f"{node}: done")
        for key, value in answer.items():
            if key in ("id", "ok"):
                continue
            if isinstance(value, list) and all(isinstance(one, str) for one in value):
                print(neutral(f"  {key}:"), *(neutral(f"    {one}") for one in value), sep="\n")
            else:
                print(neutral(f"  {key}: {value if isinstance(value, str) else to_json(value)}"))
    else:
        print(neutral(f"{node} refuses: {answer.get('error')}"), file=sys.stderr)
    return 0 if answer.get("ok") else 1
