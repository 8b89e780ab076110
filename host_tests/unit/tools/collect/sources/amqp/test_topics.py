"""MQTT's topics and RabbitMQ's routing keys, there and back."""

import pytest

from fieldpost.collect.message import Reader
from fieldpost.collect.sources.amqp.topics import binding, topic


def test_a_binding_is_a_filter_with_dots() -> None:
    assert [binding(one) for one in Reader("site/a").topics()] == [
        "site.a.*.telemetry",
        "site.a.*.status",
        "site.a.*.health",
        "site.a.*.cmd.result",
        "site.a.*.update",
    ]


@pytest.mark.parametrize("base", ["fieldpost", "site/a", "v1.2/plant", "fieldpost/n/telemetry"])
@pytest.mark.parametrize("kind", ["telemetry", "cmd/result", "update"])
def test_the_topic_of_a_nodes_message_comes_back(base: str, kind: str) -> None:
    published = f"{base}/n-1/{kind}"
    assert topic(published.replace("/", "."), Reader(base).topics()) == published


@pytest.mark.parametrize("key", ["", "fieldpost", "fieldpost.telemetry", "other.n.telemetry", "."])
def test_any_other_key_is_some_topic(key: str) -> None:
    assert topic(key, Reader("fieldpost").topics()) == key.replace(".", "/")
