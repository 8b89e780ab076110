"""MQTT's topics in RabbitMQ: its MQTT plugin has a dot for each slash, and `*` for a `+`."""

from collections.abc import Sequence


def binding(topic_filter: str) -> str:
    """The key that binds a queue to what MQTT would subscribe to. Its `+` is one level."""
    return topic_filter.replace("/", ".").replace("+", "*")


def topic(routing_key: str, filters: Sequence[str]) -> str:
    """The topic under which a message was published that came for one of the filters.

    Dots that a node's base has itself stay dots, which a routing key alone would not tell.
    """
    for one in filters:
        before, plus, after = one.partition("+")
        head, tail = before.replace("/", "."), after.replace("/", ".")
        middle = routing_key[len(head) : len(routing_key) - len(tail)]
        if plus and head + middle + tail == routing_key:
            return before + middle + after
    return routing_key.replace(".", "/")
