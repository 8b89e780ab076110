"""Which source belongs to an address."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fieldpost.advice import install_command
from fieldpost.collect.intake import Intake
from fieldpost.collect.sources.address import DEFAULT_QUEUE, SourceAddress
from fieldpost.collect.sources.mqtt import MqttSource
from fieldpost.collect.sources.source import Source
from fieldpost.errors import MissingTool, Usage
from fieldpost.mqtt.url import BrokerAddress


@dataclass(frozen=True)
class Wanted:
    """client_id: who we are to a broker. topics: filters of MQTT; the first is needed, and the
    rest may be refused. queue: the one that a cluster has for all collectors. leaves: read what
    the broker has kept for us, and nothing that comes from now on."""

    address: SourceAddress
    client_id: str
    topics: Sequence[str]
    queue: str = DEFAULT_QUEUE
    leaves: bool = False


def source(wanted: Wanted, intake: Intake, tell: Callable[[str], None]) -> Source:
    """Not opened yet. tell: given each sentence for the user.

    Raises CommandError if a package is missing that it takes.
    """
    address = wanted.address
    if isinstance(address, BrokerAddress):
        return MqttSource(
            address, wanted.client_id, wanted.topics, intake, tell, leaves=wanted.leaves
        )
    if address.scheme in ("amqp", "amqps"):
        _need("pika", "pika", address.scheme)
        from fieldpost.collect.sources.amqp import AmqpSource

        return AmqpSource(address, wanted.client_id, wanted.topics, wanted.queue, intake, tell)
    if address.scheme in ("nats", "tls"):
        _need("nats", "nats-py", address.scheme)
        from fieldpost.collect.sources.nats import NatsSource

        return NatsSource(address, wanted.client_id, wanted.topics, wanted.queue, intake, tell)
    raise Usage(f"nothing here reads from {address.scheme}://")


def _need(module: str, package: str, scheme: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingTool(
            f"--from {scheme}:// needs a package that is not installed: {install_command(package)}"
        )
