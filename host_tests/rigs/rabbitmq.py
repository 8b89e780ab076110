"""A single RabbitMQ on loopback, as it is where it is installed: made like a node of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from rigs.one_server import Here, OneServer

from fieldpost.collect.sources.address import DEFAULT_QUEUE
from scale.rabbitmq import RabbitCluster
from scale.rabbitmq_node import find


def need_rabbitmq() -> None:
    """Skip where it is not installed."""
    if find() is None:
        pytest.skip("RabbitMQ is not installed")


class RabbitMq(OneServer):
    """One node. Anybody may come. lines: more ones of rabbitmq.conf.

    Skips the test where RabbitMQ is missing.
    """

    def __init__(self, *lines: str) -> None:
        need_rabbitmq()
        self._rabbit = RabbitCluster(Here(), 1, *lines)
        super().__init__(self._rabbit)

    def ask(self, expression: str) -> str:
        """What an expression of Erlang's gives there."""
        answer = self._rabbit.node(0).ask(expression)
        assert answer is not None, expression
        return answer

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
