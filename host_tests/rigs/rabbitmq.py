"""A single RabbitMQ on loopback, as it is where it is installed: made like a node of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fieldpost.collect.sources.address import DEFAULT_QUEUE
from fieldpost.mqtt.brokers import HOST
from fieldpost.started import Started
from scale.rabbitmq import RabbitCluster
from scale.rabbitmq_node import find


class _Here:
    """Both sides of it are on loopback."""

    def client_address(self, index: int) -> str:
        return HOST

    def peer_address(self, index: int) -> str:
        return HOST

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        return list(argv)


class RabbitMq(Started):
    """url: for `fieldpost collect --from`. port: of MQTT. It keeps both over a stop and a start.

    Anybody may come. lines: more ones of rabbitmq.conf. Skips the test where RabbitMQ is missing.
    """

    def __init__(self, *lines: str) -> None:
        if find() is None:
            pytest.skip("RabbitMQ is not installed")
        self._cluster = RabbitCluster(_Here(), 1, *lines)
        self.url = self._cluster.source()
        self.port = self._cluster.mqtt(0)[1]
        self._has_run = False

    def start(self) -> None:
        if self._has_run:
            self._cluster.start_node(0)
        else:
            self._has_run = True
            self._cluster.start()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._cluster.stop(0)

    def close(self) -> None:
        self._cluster.close()

    def ask(self, expression: str) -> str:
        """What an expression of Erlang's gives there."""
        answer = self._cluster.node(0).ask(expression)
        assert answer is not None, expression
        return answer

    def waiting(self) -> int:
        """Messages in the queue of the readings, acknowledged by nobody."""
        return self._cluster.waiting()

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """Of somebody else's connection."""
        host, port = self.url.removeprefix("amqp://").split(":")
        connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def forget(self) -> None:
        """Remove the queue, with what is in it."""
        with self.channel() as channel:
            channel.queue_delete(DEFAULT_QUEUE)
