"""Secrets that are markers, all a node can be asked, and the search for them in what it said."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from rigs.tls import HOST, wait_until

from fieldpost.mqtt.client import Connection

WIFI = "wifi-Marker@9/4 q"


LOGIN = "broker-Marker:7#2"


USER = "user-Marker-5"


MARKERS = (WIFI, LOGIN)


def forms(secret: bytes) -> set[str]:
    """How bytes may look after a trip through JSON, a URL, base64, hex, or a `repr`."""
    text = secret.decode("latin-1")
    found = {secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1]}
    if text.isprintable():
        found |= {text, quote(text, safe=""), json.dumps(text)[1:-1]}
    return found


def leaks(said: bytes | str, *secrets: bytes | str) -> list[str]:
    """The forms of `secrets` that are in `said`."""
    data = said if isinstance(said, bytes) else said.encode()
    found = []
    for secret in secrets:
        raw = secret if isinstance(secret, bytes) else secret.encode()
        found += [form for form in forms(raw) if form.encode() in data]
        if raw in data:
            found.append(repr(raw))
    return found


def node_files(port: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration that says as much as it can, and the secrets beside it."""
    config = {
        "node": "kitchen",
        "boot_window_s": 0,
        "log_level": "debug",
        "mqtt": {"host": HOST, "port": port, "timeout_s": 2},
        "sample_s": 1,
        "health_s": 10,
        "ntp": {"host": None},
        "retry": {"base_s": 1, "cap_s": 1},
        "sensors": [{"type": "simulated"}],
    }
    secrets = {
        "wifi": [{"ssid": "home", "password": WIFI}],
        "mqtt": {"user": USER, "password": LOGIN},
    }
    return config, secrets


QUESTIONS = (
    {"do": "get", "key": "mqtt"},
    {"do": "get", "key": "mqtt.password"},
    {"do": "get", "key": "mqtt.user"},
    {"do": "get", "key": "wifi"},
    {"do": "get", "key": "wifi.networks"},
    {"do": "get", "key": "wifi.networks.0"},
    {"do": "get", "key": "wifi.networks.0.1"},
    {"do": "set", "key": "mqtt.password", "value": "x"},
    {"do": "set", "key": "wifi.networks", "value": []},
    {"do": "set", "key": "mqtt.hots", "value": "x"},
    {"do": "log"},
)


def ask_for_everything(
    listener: Connection, heard: list[tuple[str, bytes]]
) -> list[dict[str, Any]]:
    """The node's answers to commands that a curious person might send."""

    def answers() -> list[dict[str, Any]]:
        told = [payload for topic, payload in list(heard) if topic.endswith("cmd/result")]
        return [json.loads(one) for one in told]

    for number, question in enumerate(QUESTIONS):
        command = json.dumps({"id": str(number), **question}).encode()
        listener.publish("fieldpost/kitchen/cmd", command, qos=1, retain=False)
        assert wait_until(lambda number=number: len(answers()) > number), question
    return answers()
