"""The queue of RabbitMQ from which all collectors read: made, looked at, and bound to topics."""

from collections.abc import Callable, Sequence
from typing import Any

import pika

from fieldpost.collect.sources.address import ClusterAddress
from fieldpost.collect.sources.amqp.asked import (
    EXCHANGE,
    NOT_FOUND,
    PRECONDITION,
    QUORUM,
    Counted,
    attempt,
    count,
    declare,
    settings,
    version,
)
from fieldpost.collect.sources.amqp.flaws import of_queue
from fieldpost.collect.sources.amqp.topics import binding
from fieldpost.mqtt.client import Denied

# By itself RabbitMQ 4 drops a message that was handed out 20 times, as if it were to blame for a
# collector that dies often. To 4, -1 means never; 3.10 takes it and drops all that comes again.
_NEVER_DROPPED: dict[str, Any] = QUORUM | {"x-delivery-limit": 2**31 - 1}


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
        found = count(connection, self._name)
        if isinstance(found, Counted) or found.reply_code != NOT_FOUND:
            self._compare(connection)
        else:
            self._make(connection)
        self._bind(connection)

    def _make(self, connection: "pika.BlockingConnection") -> None:
        closed = attempt(connection, lambda one: declare(one, self._name, _NEVER_DROPPED))
        if closed is None:
            self._tell(f"the queue {self._name} was made, a quorum queue")
            return
        raise Denied(
            f"there is no queue {self._name} at {self._address}, and none could be made: "
            f"{closed.reply_text}"
        )

    def _compare(self, connection: "pika.BlockingConnection") -> None:
        """Somebody else may have made it so that it loses readings."""
        asked = settings(connection, self._name)
        if asked.known is not None:
            for flaw in of_queue(self._name, asked.known, version(connection)):
                self._tell(f"the queue {self._name}, {flaw.setting}: {flaw.text}")
        if asked.unknown and asked.unknown.reply_code == PRECONDITION:
            self._tell(
                f"the queue {self._name} was made in another way than here, where it would drop "
                f"nothing: {asked.unknown.reply_text}"
            )

    def _bind(self, connection: "pika.BlockingConnection") -> None:
        for topic in self._topics:
            key = binding(topic)
            closed = attempt(
                connection, lambda one, key=key: one.queue_bind(self._name, EXCHANGE, key)
            )
            if closed is not None:
                self._tell(
                    f"the queue could not be bound to {topic}, and gets it only if somebody has "
                    f"bound it: {closed.reply_text}"
                )
