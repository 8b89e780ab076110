"""Which source belongs to an address."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fieldpost.collect.intake import Intake
from fieldpost.collect.sources.address import DEFAULT_QUEUE, ClusterAddress, SourceAddress
from fieldpost.collect.sources.mqtt.source import MqttSource
from fieldpost.collect.sources.source import Source
from fieldpost.errors import MissingTool, Usage
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.terminal.advice import install_command


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
    need_client(address)
    if address.scheme in ("amqp", "amqps"):
        from fieldpost.collect.sources.amqp.source import AmqpSource

        return AmqpSource(address, wanted.client_id, wanted.topics, wanted.queue, intake, tell)
    if address.scheme in ("nats", "tls"):
        from fieldpost.collect.sources.nats.source import NatsSource

        return NatsSource(address, wanted.client_id, wanted.topics, wanted.queue, intake, tell)
    raise Usage(f"nothing here reads from {address.scheme}://")


# By scheme: the module that speaks to such a cluster, and the package that has it.
_CLIENTS = {
    "amqp": ("pika", "pika"),
    "amqps": ("pika", "pika"),
    "nats": ("nats", "nats-py"),
    "tls": ("nats", "nats-py"),
}


def need_client(address: ClusterAddress) -> None:
    """Raises CommandError if the package is missing that speaks to such a cluster."""
    module, package = _CLIENTS[address.scheme]
    if importlib.util.find_spec(module) is None:
        raise MissingTool(
            f"--from {address.scheme}:// needs a package that is not installed: "
            f"{install_command(package)}"
        )
