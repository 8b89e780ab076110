"""Nodes that take updates at one broker, and `fieldpost update` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rigs.command_line import Ran, fieldpost
from rigs.update_node import StandInNode, Ways

from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection


class Field:
    """Nodes at one broker, and the command."""

    def __init__(self, broker: Broker, keys: KeyFolder) -> None:
        self.broker = broker
        self._key = keys.key("update").public
        self._things = ExitStack()

    def __enter__(self) -> Field:
        return self

    def __exit__(self, *_: object) -> None:
        self._things.close()

    def node(self, name: str, **ways: Any) -> StandInNode:
        one = StandInNode(self.broker.url, name, self._key, Ways(**ways))
        return self._things.enter_context(one)

    def tell(self, topic: str, message: bytes, retain: bool = True) -> None:
        connection = Connection(mqtt_url.parse(self.broker.url))
        connection.open()
        connection.publish(topic, message, qos=1, retain=retain)
        connection.close()

    def kept(self, topic: str) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        connection = Connection(
            mqtt_url.parse(self.broker.url),
            on_message=lambda one: found.append((one.topic, bytes(one.payload))),
        )
        connection.open()
        connection.subscribe(topic, 1)
        time.sleep(0.3)
        connection.close()
        return found

    def update(self, *words: str, as_json: bool = True, **options: Any) -> Ran:
        more = ("--json",) if as_json else ()
        ran = fieldpost(
            "update", *words, "--broker", self.broker.url, *more, is_terminal=False, **options
        )
        assert not ran.thrown, ran
        return ran


def states(ran: Ran) -> dict[str, str]:
    return {one["node"]: one["state"] for one in json.loads(ran.out)["nodes"]}


def until(is_so: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Of a thread beside a command: if it does not come to that, the command ends, too."""
    end = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("it did not come to that")
        time.sleep(0.02)
