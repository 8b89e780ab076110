"""The clusters that can be tried, by the name that `--only` takes."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from fieldpost.mqtt.brokers import Broker
from scale.cluster import Cluster
from scale.mosquitto import Mosquitto
from scale.network import Places


@dataclass(frozen=True)
class Engine:
    """nodes: how many machines it is given. make: raises CommandError if it can't be had, as
    version does."""

    name: str
    title: str
    nodes: int
    make: Callable[[Places], Cluster]
    version: Callable[[], str]


def _mosquitto_version() -> str:
    return Broker("mosquitto").name


def _nats_version() -> str:
    from scale.nats import program

    told = subprocess.run([program(), "--version"], capture_output=True, text=True, timeout=20)
    return f"NATS {told.stdout.split()[-1].lstrip('v')}"


def _rabbitmq_version() -> str:
    from scale.rabbitmq_node import installed

    (home,) = (installed().folder / "usr" / "lib" / "rabbitmq" / "lib").glob("rabbitmq_server-*")
    return f"RabbitMQ {home.name.rpartition('-')[2]}"


def _nats(places: Places) -> Cluster:
    from scale.nats import NatsCluster

    return NatsCluster(places)


def _rabbitmq(places: Places) -> Cluster:
    from scale.rabbitmq import RabbitCluster

    return RabbitCluster(places)


ENGINES = (
    Engine("mosquitto", "Mosquitto, one", 1, Mosquitto, _mosquitto_version),
    Engine("rabbitmq", "RabbitMQ, three", 3, _rabbitmq, _rabbitmq_version),
    Engine("nats", "NATS JetStream, three", 3, _nats, _nats_version),
)
