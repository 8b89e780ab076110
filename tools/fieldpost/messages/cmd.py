"""`fieldpost cmd NODE DO …`: tells a node something and waits for its answer.

A node that sleeps finds the command at its next delivery: the broker keeps it in the node's
persistent session, and this waits as long as the node's own status says.
"""

import json
import queue
import secrets
import sys
import time
from typing import Any

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S, Connection

# Beyond the time that a sleeping node has announced: it may have had to try again.
_OVERDUE_S = 60.0
# States of a node that begins each session afresh.
_FRESH = ("online", "safe_mode")
# What a node takes; of more it keeps nothing, and its refusal cannot say which command it was.
_BYTES_MAX = 512


def parse_arguments(words: list[str]) -> dict[str, Any]:
    """["key=a", "value=60"] -> {"key": "a", "value": 60}; a value is JSON, else text."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise CommandError(f"{word!r}: an argument is NAME=VALUE, such as minutes=10")
        if name in ("id", "do"):
            raise CommandError(f"{name} is not an argument: it is made here")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def send(
    node: str,
    do: str,
    arguments: dict[str, Any],
    *,
    broker: str = mqtt_url.DEFAULT_URL,
    base: str = "fieldpost",
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """The node's answer. Raises CommandError if none came in time.

    timeout_s: None waits 10 s for a node that is awake, and until after its next wake for one
    that sleeps.
    """
    topic = f"{base}/{node}"
    name = secrets.token_hex(4)
    asked = json.dumps({"id": name, "do": do, **arguments}).encode()
    if len(asked) > _BYTES_MAX:
        raise CommandError(
            f"the command has {len(asked)} bytes, and a node takes {_BYTES_MAX}: a longer setting "
            "is changed with the board at hand, by fieldpost provision"
        )
    arrived: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
    connection = Connection(mqtt_url.parse(broker), on_message=arrived.put)
    connection.open()
    try:
        connection.subscribe(f"{topic}/status", 1)
        connection.subscribe(f"{topic}/cmd/result", 1)
        connection.publish(f"{topic}/cmd", asked, qos=1, retain=False)
        end = time.monotonic() + (timeout_s or TIMEOUT_S)
        known = False
        while (left_s := end - time.monotonic()) > 0:
            try:
                message = arrived.get(timeout=left_s)
            except queue.Empty:
                break
            try:
                told = json.loads(message.payload)
            except ValueError:
                continue
            if not isinstance(told, dict):
                continue
            if message.topic.endswith("/status"):
                known = True
                if not message.retain and told.get("state") in _FRESH:
                    # It has connected just now, and what came before may be lost; by its id the
                    # command is not done twice.
                    connection.publish(f"{topic}/cmd", asked, qos=1, retain=False)
                if timeout_s is None:
                    end = max(end, time.monotonic() + _patience_s(node, told))
            elif told.get("id") == name:
                return told
    finally:
        connection.close()
    if not known:
        raise CommandError(f"no node {node} has ever reported to this broker: is the name right?")
    raise CommandError(f"{node} did not answer; it may do so yet, on {topic}/cmd/result")


def _patience_s(node: str, status: dict[str, Any]) -> float:
    """How long to wait for a node in this state, and say so."""
    if status.get("state") == "offline":
        print(f"{node} is offline: a command waits only for a node that sleeps", file=sys.stderr)
        return 0.0
    if status.get("state") != "asleep":
        return 0.0
    until = status.get("until")
    sleep_s = float(status.get("for_s", 0)) if until is None else until - time.time()
    due = "now" if sleep_s <= 0 else f"in {sleep_s:.0f} s"
    print(f"{node} is asleep, and due {due}: waiting for it (Ctrl-C ends)", file=sys.stderr)
    return max(sleep_s, 0.0) + _OVERDUE_S


def cmd_command(
    node: str, do: str, words: list[str], broker: str, timeout_s: float | None, as_json: bool
) -> int:
    """Send, and print the answer. Status 0 if the node did it."""
    answer = send(node, do, parse_arguments(words), broker=broker, timeout_s=timeout_s)
    if as_json:
        print(json.dumps(answer))
    elif answer.get("ok"):
        print(f"{node}: done")
        for key, value in answer.items():
            if key in ("id", "ok"):
                continue
            if isinstance(value, list):
                print(f"  {key}:", *(f"\n    {one}" for one in value), sep="")
            else:
                print(f"  {key}: {value}")
    else:
        print(f"{node} refuses: {answer.get('error')}", file=sys.stderr)
    return 0 if answer.get("ok") else 1
