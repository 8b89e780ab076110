"""What RabbitMQ says of a queue to whoever asks over AMQP. Nothing is changed by it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pika
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel

# Where the MQTT plugin publishes.
EXCHANGE = "amq.topic"
NOT_FOUND, PRECONDITION = 404, 406
QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
# What of a queue can differ is less.
_QUESTIONS_MAX = 30
_DIFFERS = re.compile(
    r"inequivalent arg '(?P<name>[^']+)' .* current is "
    r"(?:(?P<none>none)|the value '(?P<value>.*)' of type '(?P<type>\w+)'|'(?P<bare>\w+)')"
)
_FLAGS = ("durable", "auto_delete", "exclusive")


@dataclass(frozen=True)
class Counted:
    """messages: that wait, and are with no collector. collectors: that read."""

    messages: int
    collectors: int


def count(
    connection: "pika.BlockingConnection", name: str
) -> Counted | exceptions.ChannelClosedByBroker:
    """What is in a queue, or why that can't be asked: 404 where there is none."""
    told: list[Any] = []
    closed = attempt(connection, lambda one: told.append(one.queue_declare(name, passive=True)))
    if closed is not None:
        return closed
    return Counted(told[0].method.message_count, told[0].method.consumer_count)


@dataclass(frozen=True)
class Settings:
    """known: arguments of a queue, and its flags where they are not as usual; None: this account
    may not ask. unknown: why there may be more; None: that is all."""

    known: Mapping[str, object] | None
    unknown: exceptions.ChannelClosedByBroker | None = None


def settings(connection: "pika.BlockingConnection", name: str) -> Settings:
    """How a queue that is there was made. A policy is not in it.

    RabbitMQ says of a queue that is asked for in another way what differs, one thing at a time. It
    is asked until nothing does, and no answer changes anything.
    """
    known: dict[str, Any] = dict(QUORUM)
    closed = None
    for _ in range(_QUESTIONS_MAX):
        closed = attempt(connection, lambda one: declare(one, name, known))
        if closed is None:
            return Settings(known)
        if closed.reply_code != PRECONDITION:
            return Settings(None, closed)
        differs = _DIFFERS.search(closed.reply_text)
        if not differs or not _learned(known, differs):
            break
    return Settings(known, closed)


def _learned(known: dict[str, Any], differs: re.Match[str]) -> bool:
    """Whether it was understood."""
    name, value, kind = differs["name"], differs["value"], differs["type"]
    if differs["none"]:
        return known.pop(name, None) is not None
    if differs["bare"]:
        known[name] = differs["bare"] == "true" if name in _FLAGS else differs["bare"]
    elif kind == "longstr":
        known[name] = value
    elif kind == "bool":
        known[name] = value == "true"
    elif re.fullmatch(r"-?\d+", value):
        known[name] = int(value)
    else:
        return False
    return True


def declare(channel: BlockingChannel, name: str, asked: Mapping[str, Any]) -> None:
    flags = {"durable": True} | {one: asked[one] for one in _FLAGS if one in asked}
    arguments = {one: value for one, value in asked.items() if one not in _FLAGS}
    channel.queue_declare(name, arguments=arguments, **flags)


def version(connection: "pika.BlockingConnection") -> str:
    """Of RabbitMQ; empty where it does not say."""
    return told_of(connection, "version")


def told_of(connection: "pika.BlockingConnection", name: str) -> str:
    """What the server says of itself under this name."""
    # pika has no other name for it.
    implementation = getattr(connection, "_impl", None)
    value: Any = (getattr(implementation, "server_properties", None) or {}).get(name, "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def may_bind(
    connection: "pika.BlockingConnection", name: str, key: str
) -> exceptions.ChannelClosedByBroker | None:
    """Why this account may not bind the queue to such a key; None: it may. The binding is taken
    away again, so the key should be of nothing that there is."""

    def there_and_back(channel: BlockingChannel) -> None:
        channel.queue_bind(name, EXCHANGE, key)
        channel.queue_unbind(name, EXCHANGE, key)

    return attempt(connection, there_and_back)


def attempt(
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
