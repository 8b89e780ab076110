"""Commands that nobody means well with: each gets one answer in words, and the node goes on."""

import json
import queue
from typing import Any

from rigs.commanded_node import Results

from fieldpost.mqtt import brokers
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection

_DEEP = 240
PAYLOADS = (
    b"",
    b"\0",
    b"null",
    b"[]",
    b"7",
    b'"get"',
    b"{",
    b"[" * 500,
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"a":' * 80,
    b'{"a":' * 80 + b"1" + b"}" * 80,
    b'{"id":"1","do":"get","key":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"id":"1","do":"set","key":"sample_s","value":' + b"9" * 400 + b"}",
    b'{"id":"1","do":"set","key":"sample_s","value":1e999}',
    b'{"id":"1","do":"set","key":"sample_s","value":-1e-999}',
    b'{"id":"1","do":"set","key":"sample_s","value":NaN}',
    b'{"id":"1","do":"set","key":"sample_s","value":true}',
    b'{"id":"1","do":"set","key":"sample_s","value":"\\ud800"}',
    b'{"id":"\\ud83d\\ude00","do":"nonsense"}',
    b'{"id":"1","do":"\\ud800"}',
    b'{"id":"1","do":"\\u0000\\u001b[2J"}',
    b'{"id":"1","do":"\x1b[2J"}',
    b'{"id":"1","do":"\xff\xfe"}',
    b'{"id":"1","do":"nonsense","do":"nothing"}',
    b'{"id":[],"do":"get"}',
    b'{"id":{"a":1},"do":"get"}',
    b'{"id":null,"do":"get","key":"mqtt"}',
    b'{"id":"1","do":null}',
    b'{"id":"1","do":7}',
    b'{"id":"1","do":["get"]}',
    b'{"id":"1","do":"__class__"}',
    b'{"id":"1","do":"step"}',
    b'{"id":"1","do":"_owed"}',
    b'{"id":"1","do":"get","key":""}',
    b'{"id":"1","do":"get","key":"."}',
    b'{"id":"1","do":"get","key":"' + b"." * 300 + b'"}',
    b'{"id":"1","do":"get","key":"mqtt.__class__"}',
    b'{"id":"1","do":"get","key":7}',
    b'{"id":"1","do":"set","key":"sensors","value":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"id":"1","do":"stay_awake","minutes":1e999}',
    b'{"id":"1","do":"stay_awake","minutes":{}}',
    b'{"id":"1","do":"safe_mode","on":[]}',
    b'{"id":"' + b"x" * 480 + b'","do":"get"}',
    b'{"id":"' + b"x" * 600 + b'","do":"get"}',
)
# More than a node keeps of a message: read past, and counted in its health.
LONG = (b"x" * 5000, b"[" * 20_000)


def answers(name: str, broker: brokers.Broker) -> list[dict[str, Any]]:
    """What the node answers to each of PAYLOADS, then to a command that is one."""
    found = []
    sender = Connection(mqtt_url.parse(broker.url))
    sender.open()
    try:
        with Results(name, broker) as results:
            for payload in LONG:
                sender.publish(f"fieldpost/{name}/cmd", payload, qos=1, retain=False)
            last = json.dumps({"id": "last", "do": "get", "key": "health_s"}).encode()
            for payload in (*PAYLOADS, last):
                sender.publish(f"fieldpost/{name}/cmd", payload, qos=1, retain=False)
                try:
                    found.append(results.next())
                except queue.Empty:
                    raise AssertionError(f"no answer to {payload[:60]!r}") from None
    finally:
        sender.close()
    return found


def check(told: list[dict[str, Any]]) -> None:
    """Each of PAYLOADS is refused in words, and the last is done."""
    for payload, answer in zip(PAYLOADS, told[:-1], strict=True):
        assert answer["ok"] is False, (payload, answer)
        assert isinstance(answer["error"], str) and answer["error"], (payload, answer)
    assert told[-1]["ok"] is True and told[-1]["id"] == "last", told[-1]
