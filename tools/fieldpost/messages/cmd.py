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

from fieldpost.errors import CommandError
from fieldpost.messages import payload
from fieldpost.messages.arrivals import Arrivals
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S, Connection
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.result import result
from fieldpost.terminal import neutral, to_json

# Beyond the time that a sleeping node has announced: it may have had to try again.
_OVERDUE_S = 60.0
# A sleeper that goes back to sleep so often without an answer has not got the command. Not once:
# it may have been awake, and done with listening, when the command was sent; and the verdict on a
# setting on trial comes one wake later.
_WAKES_MAX = 3
# No node sleeps longer: sample_s and deliver_every at their largest.
_SLEEP_MAX_S = 86_400 * 1000
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
    """The node's answer. Raises CommandError if none came in time.

    timeout_s: None waits 10 s for a node that is awake; for one that sleeps, until it has woken
    _WAKES_MAX times without an answer, or is _OVERDUE_S late.
    """
    topic = f"{base}/{node}"
    name = secrets.token_hex(4)
    try:
        # The characters themselves: the board does not join a pair of \\u escapes to one.
        asked = json.dumps({"id": name, "do": do, **arguments}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CommandError("the command has a character that is no text in UTF-8") from None
    if len(asked) > _BYTES_MAX:
        raise CommandError(
            f"the command has {len(asked)} bytes, and a node takes {_BYTES_MAX}: a longer setting "
            "is changed with the board at hand, by fieldpost provision"
        )
    answers = (f"{topic}/status", f"{topic}/cmd/result")
    arrived = Arrivals()

    def resubscribe() -> None:
        for one in answers:
            connection.resubscribe(one, 1)

    connection = Connection(
        mqtt_url.parse(broker, tls),
        on_message=arrived.put,
        on_connected=resubscribe,
        timeout_s=min(timeout_s or TIMEOUT_S, TIMEOUT_S),
    )
    connection.open()
    try:
        for one in answers:
            connection.subscribe(one, 1)
        connection.publish(f"{topic}/cmd", asked, qos=1, retain=False)
        end = time.monotonic() + (timeout_s or TIMEOUT_S)
        known = has_kept = False
        unreadable = 0
        wakes = 0
        while (left_s := end - time.monotonic()) > 0:
            try:
                message = arrived.get(timeout=left_s)
            except queue.Empty:
                break
            if message.topic not in answers:
                continue  # amqtt hands a new client what is retained for others, too.
            is_status = message.topic.endswith("/status")
            known = known or is_status
            try:
                told = payload.read(message.payload)
            except payload.Unreadable:
                unreadable += 1
                continue
            if is_status:
                if not message.retain and told.get("state") in _FRESH:
                    # It has connected just now, and what came before may be lost; by its id the
                    # command is not done twice.
                    connection.publish(f"{topic}/cmd", asked, qos=1, retain=False)
                if timeout_s is not None or (message.retain and has_kept):
                    continue
                # What is retained comes once; a node that is believed each time is waited for
                # without an end.
                has_kept = has_kept or message.retain
                if told.get("state") == "asleep" and not message.retain:
                    wakes += 1
                if wakes >= _WAKES_MAX:
                    # An answer of this wake is on its way by now.
                    end = min(end, time.monotonic() + TIMEOUT_S)
                else:
                    end = max(end, time.monotonic() + _patience_s(node, told, wakes))
            elif told.get("id") == name:
                return told
    finally:
        connection.close()
    if not known:
        raise CommandError(f"no node {node} has ever reported to this broker: is the name right?")
    noise = f" ({unreadable} messages in its name could not be read)" if unreadable else ""
    if wakes >= _WAKES_MAX:
        raise CommandError(
            f"{node} woke {wakes} times without an answer{noise}: this broker may keep nothing "
            "for a node that is away, or the node takes no commands. Send the command again, or "
            "wait longer with --timeout SECONDS"
        )
    raise CommandError(f"{node} did not answer{noise}; it may do so yet, on {topic}/cmd/result")


def _patience_s(node: str, status: dict[str, Any], wakes: int) -> float:
    """How long to wait for a node in this state, and say so."""
    if status.get("state") == "offline":
        print(f"{node} is offline: a command waits only for a node that sleeps", file=sys.stderr)
        return 0.0
    if status.get("state") != "asleep":
        return 0.0
    now = time.time()
    sleep_s = payload.number(status.get("for_s", 0), 0, _SLEEP_MAX_S)
    if status.get("until") is not None:
        until = payload.number(status["until"], 0, now + _SLEEP_MAX_S)
        sleep_s = None if until is None else max(until - now, 0.0)
    if sleep_s is None:
        print(f"{node} is asleep, and names no time to wake that can be", file=sys.stderr)
        return _OVERDUE_S
    due = "now" if sleep_s <= 0 else f"in {sleep_s:.0f} s"
    left = "1 wake" if wakes + 1 == _WAKES_MAX else f"{_WAKES_MAX - wakes} wakes"
    print(
        f"{node} is asleep, and due {due}: waiting for {left} of it at most, and for each until "
        f"it is {_OVERDUE_S:.0f} s late (Ctrl-C ends)",
        file=sys.stderr,
    )
    return sleep_s + _OVERDUE_S


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
