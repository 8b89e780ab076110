"""What the parts of the fake network need of one another, so that none has to know the whole."""

from collections import Counter
from typing import Any, Protocol

from fakes.conditions import Conditions, NameFault
from fakes.ports import Port
from fakes.world import World


class Network(Protocol):
    """All hosts: `fakes.net.FakeNet`."""

    world: World
    rng: Any
    conditions: Conditions
    names: dict[str, str]
    name_faults: dict[str, NameFault]
    totals: Counter[str]

    def address(self, host: str) -> str: ...

    def open(self, stack: Any, socket: Any, address: tuple[str, int]) -> Any: ...

    def datagram(self, stack: Any, socket: Any, data: bytes, address: tuple[str, int]) -> None: ...


class Node(Protocol):
    """One node's end of it: `fakes.stack.Stack`."""

    net: Network
    world: World
    name: str
    port: Port
    radio_up: bool
    powered: bool
    open_sockets: list[Any]
    most_open: int
    sockets_made: int

    def hold(self, connection: Any) -> None: ...
