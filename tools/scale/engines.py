"""The clusters that can be tried, by the name that `--only` takes."""

from collections.abc import Callable
from dataclasses import dataclass

from scale.cluster import Cluster
from scale.mosquitto import Mosquitto
from scale.network import Places


@dataclass(frozen=True)
class Engine:
    """nodes: how many machines it is given. make: raises CommandError if it can't be had."""

    name: str
    title: str
    nodes: int
    make: Callable[[Places], Cluster]


ENGINES = (Engine("mosquitto", "Mosquitto, one", 1, Mosquitto),)
