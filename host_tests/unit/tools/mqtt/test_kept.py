"""What is published while a listener has no connection arrives, if the broker can keep it."""

from __future__ import annotations

import queue
import time

import pytest
from rigs.mosquitto import need_mosquitto

from fieldpost.mqtt import kept
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.kept import KeptSubscription
from fieldpost.mqtt.url import parse


def publish(broker: Broker, payload: bytes) -> None:
    connection = Connection(parse(broker.url))
    connection.open()
    connection.publish("k", payload, qos=1, retain=False)
    connection.close()


def until(told: list[str], text: str) -> None:
    end = time.monotonic() + 10
    while not any(text in one for one in told):
        assert time.monotonic() < end, told
        time.sleep(0.02)


@pytest.mark.parametrize(("qos", "persistence"), [(1, True), (1, False), (0, True)])
def test_over_a_restart_of_the_broker(
    qos: int, persistence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_mosquitto("amqtt keeps nothing across a restart")
    monkeypatch.setattr(kept.secrets, "token_hex", lambda _: "known")
    # So that the message is there before the subscriber is.
    monkeypatch.setattr(kept, "_RETRY_S", 1.0)
    told: list[str] = []
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with Broker("mosquitto", persistence=persistence) as broker:
        one = KeptSubscription(
            parse(broker.url),
            "k",
            qos,
            on_message=lambda message: arrived.put(bytes(message.payload)),
            tell=told.append,
        )
        one.open()
        publish(broker, b"before")
        assert arrived.get(timeout=5) == b"before"
        broker.stop()
        until(told, "connection lost")
        broker.start()
        publish(broker, b"meanwhile")
        if qos and persistence:
            assert arrived.get(timeout=10) == b"meanwhile"
            assert not any("not seen" in text for text in told), told
        else:
            until(told, "what was published meanwhile was not seen")
            publish(broker, b"after")
            while arrived.get(timeout=5) != b"after":
                pass
        one.close()
        if qos:
            again = Connection(parse(broker.url), client_id="fieldpost-known", clean=False)
            again.open()
            again.close()
            assert not again.has_session
