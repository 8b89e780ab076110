"""A network in memory: TCP with its faults, a name service, UDP; on the world's virtual time.

Honest where firmware trips: a connection takes a round trip, what is written arrives later and
perhaps in pieces, buffers fill, a radio that is down looks like silence and not like an error,
and a peer that vanished without a word is noticed only by its next answer, or never.

A server is a function `accept(connection) -> handler`; the handler has `received(data)` and
`closed(reason)` (reason "close", "reset" or "timeout"), the connection `send`, `close`, `reset`.
"""

import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from fakes.conditions import Conditions, Cut, NameFault
from fakes.connection import Connection, Handler, Listener
from fakes.ports import PORTS, Port
from fakes.stack import Stack
from fakes.world import World

__all__ = [
    "PORTS",
    "Conditions",
    "Connection",
    "Cut",
    "FakeNet",
    "Handler",
    "Listener",
    "NameFault",
    "Port",
    "Stack",
]


class FakeNet:
    """Every host, node and connection. `conditions` holds for those that `plan` says nothing of.

    `plan(stack, listener, number)` returns the Conditions of a new connection or None;
    `next_conditions` (a deque) is used up first.
    """

    def __init__(self, world: World, rng: random.Random | None = None) -> None:
        self.world = world
        self.rng = rng or random.Random(0)
        self.conditions = Conditions()
        self.next_conditions: deque[Conditions] = deque()
        self.plan: Callable[[Stack, Listener, int], Conditions | None] | None = None
        self.names: dict[str, str] = {}
        self.name_faults: dict[str, NameFault] = {}
        self.listeners: dict[tuple[str, int], Listener] = {}
        self.services: dict[tuple[str, int], Callable[[bytes, tuple[str, int]], bytes | None]] = {}
        self.datagram_loss = 0.0
        self.connections: deque[Connection] = deque(maxlen=256)
        self.nodes: dict[str, Stack] = {}
        self.totals: Counter[str] = Counter()
        self._numbers = 0

    def node(self, name: str, port: str | Port = "unix") -> Stack:
        """A node's network: `.socket` and `.select` are its modules. `port`: a key of PORTS."""
        stack = Stack(self, name, PORTS[port] if isinstance(port, str) else port)
        self.nodes[name] = stack
        return stack

    def address(self, host: str) -> str:
        """The numeric address of a host, which gets one if it has none."""
        if host.replace(".", "").isdigit():
            return host
        if host not in self.names:
            self.names[host] = f"10.0.0.{len(self.names) + 2}"
        return self.names[host]

    def listen(self, host: str, port: int, accept: Callable[[Connection], Any]) -> Listener:
        listener = Listener(host, port, accept)
        self.listeners[self.address(host), port] = listener
        return listener

    def listen_udp(
        self, host: str, port: int, answer: Callable[[bytes, tuple[str, int]], bytes | None]
    ) -> None:
        """`answer(datagram, source)` returns the datagram to send back, or None."""
        self.services[self.address(host), port] = answer

    def conditions_for(self, stack: Stack, listener: Listener) -> Conditions:
        self._numbers += 1
        if self.next_conditions:
            return self.next_conditions.popleft()
        planned = self.plan(stack, listener, self._numbers) if self.plan else None
        return planned or self.conditions

    def open(self, stack: Stack, socket: Any, address: tuple[str, int]) -> Connection:
        """Begin a handshake; the socket hears of its outcome later."""
        listener = self.listeners.get(address)
        if listener is None:
            listener = Listener(address[0], address[1], _nobody, "refuse")
            if address[0] not in self.names.values():
                listener.state = "dark"
        conditions = self.conditions_for(stack, listener)
        connection = Connection(self, self._numbers, stack, socket, listener, conditions)
        self.connections.append(connection)
        self.totals["connections"] += 1
        connection.start()
        return connection

    def datagram(self, stack: Stack, socket: Any, data: bytes, address: tuple[str, int]) -> None:
        answer = self.services.get(address)
        if answer is None or not stack.radio_up or self.rng.random() < self.datagram_loss:
            return
        conditions = self.conditions
        delay_ms = conditions.latency_ms + self.rng.random() * conditions.jitter_ms
        self.world.after_ms(delay_ms, self._answer, stack, socket, data, address, answer, delay_ms)

    def _answer(
        self,
        stack: Stack,
        socket: Any,
        data: bytes,
        address: tuple[str, int],
        answer: Callable[[bytes, tuple[str, int]], bytes | None],
        delay_ms: float,
    ) -> None:
        reply = answer(data, (stack.name, socket.number))
        if reply is not None and self.rng.random() >= self.datagram_loss:
            self.world.after_ms(delay_ms, socket.datagram_arrived, reply, address)


def _nobody(_connection: Connection) -> Handler:
    raise AssertionError("a listener that refuses accepts nothing")
