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
from fieldpost.result import result
from fieldpost.terminal import neutral, to_json


def parse_arguments(words: list[str]) -> dict[str, Any]:
    """["key=a", "value=60"] -> {"key": "a", "value": 60}; a value is JSON, else text."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise Usage(f"{word!r}: an argument is NAME=VALUE, such as minutes=10")
        if name in ("id", "do"):
            raise Usage(f"{name} is not an argument: it is made here")
        found[name] = _value(text)
    return found


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
    answer = send(node, do, parse_arguments(words), broker=broker, timeout_s=timeout_s, tls=tls)
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
