"""The queue of RabbitMQ from which all collectors read: made, looked at, and bound to topics."""

from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel

from fieldpost.collect.sources.address import ClusterAddress
from fieldpost.collect.sources.amqp_topics import binding
from fieldpost.mqtt.client import Denied

# Where the MQTT plugin publishes.
EXCHANGE = "amq.topic"
_NOT_FOUND, _REFUSED, _PRECONDITION = 404, 403, 406
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
# By itself RabbitMQ 4 drops a message that was handed out 20 times, as if it were to blame for a
# collector that dies often. To 4, -1 means never; 3.10 takes it and drops all that comes again.
_NEVER_DROPPED = _QUORUM | {"x-delivery-limit": 2**31 - 1}


class Queue:
    """tell: given each sentence for the user. topics: filters of MQTT; the rest but the first
    may be refused."""

    def __init__(
        self,
        address: ClusterAddress,
        name: str,
        topics: Sequence[str],
        tell: Callable[[str], None],
    ) -> None:
        self._address = address
        self._name = name
        self._topics = list(topics)
        self._tell = tell

    def prepare(self, connection: "pika.BlockingConnection") -> None:
        """Make it if it is not there, and have it given what nodes publish.

        Raises Denied if there is none and this account may not make one, and pika's AMQPError.
        """
        if self._is_there(connection):
            self._compare(connection)
        else:
            self._make(connection)
        self._bind(connection)

    def _is_there(self, connection: "pika.BlockingConnection") -> bool:
        closed = _try(connection, lambda one: one.queue_declare(self._name, passive=True))
        return closed is None or closed.reply_code != _NOT_FOUND

    def _declare(
        self, connection: "pika.BlockingConnection", arguments: dict[str, Any]
    ) -> exceptions.ChannelClosedByBroker | None:
        """Why it could not be."""
        return _try(
            connection,
            lambda one: one.queue_declare(self._name, durable=True, arguments=arguments),
        )

    def _make(self, connection: "pika.BlockingConnection") -> None:
        closed = self._declare(connection, _NEVER_DROPPED)
        if closed is None:
            self._tell(f"the queue {self._name} was made, a quorum queue")
            return
        raise Denied(
            f"there is no queue {self._name} at {self._address}, and none could be made: "
            f"{closed.reply_text}"
        )

    def _compare(self, connection: "pika.BlockingConnection") -> None:
        """Somebody else may have made it so that it loses readings."""
        closed = self._declare(connection, _NEVER_DROPPED)
        if closed is None or closed.reply_code != _PRECONDITION:
            return
        if self._declare(connection, _QUORUM) is None:
            self._tell(
                f"the queue {self._name} has no x-delivery-limit: RabbitMQ 4 drops a reading that "
                "was handed out 20 times, unless a policy says otherwise"
            )
            return
        self._tell(
            f"the queue {self._name} was made in another way than here, where it would drop "
            f"nothing: {closed.reply_text}"
        )

    def _bind(self, connection: "pika.BlockingConnection") -> None:
        for topic in self._topics:
            key = binding(topic)
            closed = _try(
                connection, lambda one, key=key: one.queue_bind(self._name, EXCHANGE, key)
            )
            if closed is not None:
                self._tell(
                    f"the queue could not be bound to {topic}, and gets it only if somebody has "
                    f"bound it: {closed.reply_text}"
                )


def _try(
    connection: "pika.BlockingConnection", ask: Callable[[BlockingChannel], object]
) -> exceptions.ChannelClosedByBroker | None:
    """Ask on a channel of its own, which the broker closes to say no; the no, or None."""
    channel = connection.channel()
    try:
        ask(channel)
    except exceptions.ChannelClosedByBroker as closed:
        return closed
    channel.close()
    return None
