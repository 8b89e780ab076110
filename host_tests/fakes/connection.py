"""One TCP connection between a node and a server, with the faults it was given."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fakes.conditions import Conditions
from fakes.network_ends import Network, Node

_NEVER_US = 1 << 62


class Handler(Protocol):
    def received(self, data: bytes) -> None: ...

    def closed(self, reason: str) -> None: ...


@dataclass
class Listener:
    """A server's port. `state`: "up", "refuse" (host up, no server) or "dark" (host off)."""

    host: str
    port: int
    accept: Callable[["Connection"], Handler]
    state: str = "up"
    connections: list["Connection"] = field(default_factory=list)
    orphans: list["Connection"] = field(default_factory=list)

    def stop(self, how: str = "reset") -> None:
        """The server dies: "close" or "reset" tells its peers, "dark" tells nobody."""
        self.state = "dark" if how == "dark" else "refuse"
        for connection in self.connections[:]:
            connection.abandon(how)

    def start(self) -> None:
        self.state = "up"
        orphans, self.orphans = self.orphans, []
        for connection in orphans:
            connection.host_is_back()


class Connection:
    """One TCP connection, both ways. Counts what crossed it.

    `segments`: writes that left the client, each one segment; `round_trips`: times the client
    had sent something and then got an answer, the handshake included.
    """

    def __init__(
        self,
        net: Network,
        number: int,
        stack: Node,
        socket: Any,
        listener: Listener,
        conditions: Conditions,
    ) -> None:
        self.net = net
        self.world = net.world
        self.number = number
        self.stack = stack
        self.socket = socket  # None once the client's end is gone
        self.listener = listener
        self.conditions = conditions
        self.handler: Handler | None = None
        self.segments = 0
        self.segments_down = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self.round_trips = 0
        self.opened_us = net.world.now_us
        self._asked = True
        self._silent_up = False
        self._silent_down = False
        self._severed = False  # cut in two: nothing crosses any more
        self._unanswered = False  # the server's host is off, and something was sent to it
        self._up_us = 0  # nothing arrives before what was sent before it
        self._down_us = 0
        self._in_flight: deque[tuple[int, int]] = deque()  # (when acknowledged, bytes)
        self._in_flight_bytes = 0
        self._held_up: list[bytes | None] = []  # what waits for the radio; None is the FIN
        self._held_down: list[tuple[str, bytes]] = []
        self._stalls = list(conditions.stalls)
        self._stalled_until_us = 0
        self._giving_up = False
        self._wake_us = 0

    # -- the handshake -------------------------------------------------------------------------

    def start(self) -> None:
        accept = self.conditions.accept
        self.world.note("connect", self.number, self.listener.host, accept)
        unanswered = accept == "black-hole" or self.listener.state == "dark"
        if unanswered or not self.stack.radio_up:
            limit_ms = self.stack.port.connect_limit_ms
            self.world.after_ms(limit_ms, self._fail, self.stack.port.unanswered)
            return
        arrival_us = self.world.now_us + self._delay_us()
        self._up_us = arrival_us
        self.world.at(arrival_us, self._arrive_syn)

    def _arrive_syn(self) -> None:
        refused = self.conditions.accept == "refuse" or self.listener.state != "up"
        action = self._fail if refused else self._established
        arguments = (self.stack.port.refused,) if refused else ()
        if not refused and self.conditions.accept != "mute" and self.socket is not None:
            self.listener.connections.append(self)
            self.handler = self.listener.accept(self)
        self._down_us = self.world.now_us + self._delay_us()
        self.world.at(self._down_us, action, *arguments)

    def _established(self) -> None:
        if not self.stack.radio_up:
            self.world.after_ms(
                self.stack.port.connect_limit_ms, self._fail, self.stack.port.unanswered
            )
        elif self.socket is not None:
            self._count_round_trip()
            self.socket.connected()

    def _fail(self, error: int) -> None:
        if self.socket is not None:
            self.world.note("fail", self.number, error)
            self.socket.failed(error)

    # -- the client's end ----------------------------------------------------------------------

    def room(self) -> int:
        """Bytes that the client's send buffer takes now; 0 also makes a wake-up for later."""
        now_us = self.world.now_us
        in_flight = self._in_flight
        while in_flight and in_flight[0][0] <= now_us:
            self._in_flight_bytes -= in_flight.popleft()[1]
        if now_us < self._stalled_until_us:
            self._wake_at(self._stalled_until_us)
            return 0
        room = self.stack.port.send_buffer - self._in_flight_bytes
        if self._stalls:
            room = min(room, self._stalls[0][0] - self.bytes_up)
            if room <= 0:
                _, duration_ms = self._stalls.pop(0)
                self._stalled_until_us = now_us + int(duration_ms * 1000)
                self._wake_at(self._stalled_until_us)
                return 0
        if room <= 0 and in_flight and in_flight[0][0] < _NEVER_US:
            self._wake_at(in_flight[0][0])
        return max(room, 0)

    def _wake_at(self, time_us: int) -> None:
        if self._wake_us != time_us:
            self._wake_us = time_us
            self.world.at(time_us, _nothing)

    def client_send(self, data: bytes) -> None:
        """One segment leaves the client (`data` fits in `room()`)."""
        size = len(data)
        self.segments += 1
        self.bytes_up += size
        self._asked = True
        totals = self.net.totals
        totals["segments"] += 1
        totals["bytes_up"] += size
        self._in_flight_bytes += size
        self.world.note("up", self.number, size)
        if self._severed:
            self._travel_down("reset", b"")
            return
        cut = self.conditions.up
        end = None
        if cut is not None and self.bytes_up > cut.at and not self._silent_up:
            data = data[: size - (self.bytes_up - cut.at)]
            end = cut.how
        if not self.stack.radio_up and not self._silent_up:
            self._hold_up(data)
            self._give_up_later()
        elif data:
            self._travel_up(data, size)
        if end is not None:
            self._cut(end, up=True)

    def _travel_up(self, data: bytes, size: int) -> None:
        if self._silent_up:
            self._in_flight.append((_NEVER_US, size))
            self._give_up_later()
            return
        first = self._split(data)
        self._up_us = max(self._up_us, self.world.now_us + self._delay_us())
        self.world.at(self._up_us, self._arrive_up, data[:first])
        if first < len(data):
            self._up_us += self._gap_us()
            self.world.at(self._up_us, self._arrive_up, data[first:])
        if self._silent_down:
            self._in_flight.append((_NEVER_US, size))
            self._give_up_later()
        else:
            acknowledged_us = self._up_us + int(self.conditions.latency_ms * 1000)
            self._in_flight.append((acknowledged_us, size))

    def client_close(self) -> None:
        """The client's end is closed in order: FIN."""
        self.socket = None
        self.world.note("client close", self.number)
        if not self.stack.radio_up:
            self._hold_up(None)
        elif not self._silent_up:
            self._up_us = max(self._up_us, self.world.now_us + self._delay_us())
            self.world.at(self._up_us, self._end_server, "close")

    def client_vanish(self) -> None:
        """The client lost its power: nobody is told."""
        self.socket = None
        self._held_up.clear()
        self._held_down.clear()

    def _give_up_later(self) -> None:
        if not self._giving_up:
            self._giving_up = True
            give_up_ms = self.stack.port.retransmit_limit_ms
            self.world.after_ms(give_up_ms, self._give_up)

    def _give_up(self) -> None:
        self._giving_up = False
        stuck = self._held_up or self._silent_up or self._silent_down or self._unanswered
        if stuck and self.socket is not None:
            self._silent_up = self._silent_down = True
            self._fail(self.stack.port.gave_up)

    def _hold_up(self, data: bytes | None) -> None:
        self._held_up.append(data)
        self.stack.hold(self)

    def radio_is_back(self, outage_ms: float) -> None:
        """TCP sends again what the radio lost, after a pause that grew with the outage."""
        delay_ms = 200 + self.net.rng.random() * min(outage_ms, 60_000)
        self.world.after_ms(delay_ms, self._send_again)

    def _send_again(self) -> None:
        if not self.stack.radio_up:
            self.stack.hold(self)
            return
        held_up, self._held_up = self._held_up, []
        for data in held_up:
            if data is None:
                self.world.after_ms(self.conditions.latency_ms, self._end_server, "close")
            elif data:
                self._travel_up(data, len(data))
        held_down, self._held_down = self._held_down, []
        for how, data in held_down:
            self._arrive_down(how, data)

    # -- the server's end ----------------------------------------------------------------------

    def _arrive_up(self, data: bytes) -> None:
        if self.handler is not None:
            self.handler.received(data)
        elif self.listener.state == "dark":
            self._unanswered = True
            self._give_up_later()
        elif self.conditions.accept != "mute":
            self._travel_down("reset", b"")

    def host_is_back(self) -> None:
        """The server's host has started again and knows nothing of this connection."""
        if self._unanswered:
            self._unanswered = False
            delay_ms = 200 + self.net.rng.random() * 60_000
            self.world.after_ms(delay_ms, self._travel_down, "reset", b"")

    def send(self, data: bytes) -> None:
        """The server sends; after `close` it cannot."""
        if self.handler is None or self._severed:
            return
        size = len(data)
        self.segments_down += 1
        self.bytes_down += size
        self.net.totals["bytes_down"] += size
        cut = self.conditions.down
        end = None
        if cut is not None and self.bytes_down > cut.at and not self._silent_down:
            data = data[: size - (self.bytes_down - cut.at)]
            end = cut.how
        if data:
            first = self._split(data)
            self._travel_down("data", data[:first])
            if first < len(data):
                self._down_us += self._gap_us()
                self._travel_down("data", data[first:])
        if end is not None:
            self._cut(end, up=False)

    def close(self) -> None:
        """The server closes in order; its handler hears no more."""
        self._forget_handler()
        self._travel_down("close", b"")

    def reset(self) -> None:
        self._forget_handler()
        self._travel_down("reset", b"")

    def abandon(self, how: str) -> None:
        """The server's process ("close", "reset") or its host ("dark") died."""
        self._forget_handler()
        if how == "dark":
            self.listener.orphans.append(self)
        else:
            self._travel_down(how, b"")

    def _forget_handler(self) -> None:
        self.handler = None
        if self in self.listener.connections:
            self.listener.connections.remove(self)

    def _end_server(self, reason: str) -> None:
        handler = self.handler
        if handler is not None:
            self.world.note("server hears", self.number, reason)
            self._forget_handler()
            handler.closed(reason)

    def _travel_down(self, how: str, data: bytes) -> None:
        if not self._silent_down:
            self._down_us = max(self._down_us, self.world.now_us + self._delay_us())
            self.world.at(self._down_us, self._arrive_down, how, data)

    def _arrive_down(self, how: str, data: bytes) -> None:
        if not self.stack.radio_up:
            if self.socket is not None:
                self._held_down.append((how, data))
                self.stack.hold(self)
            return
        socket = self.socket
        if socket is None:
            if how == "data" and self.stack.powered:
                self.world.after_ms(self.conditions.latency_ms, self._end_server, "reset")
            return
        self.world.note("down", self.number, how, len(data))
        if how == "data":
            if self._asked:
                self._count_round_trip()
            socket.arrived(data)
        elif how == "close":
            socket.ended()
        else:
            socket.failed(self.stack.port.reset)

    # -- both ----------------------------------------------------------------------------------

    def _cut(self, how: str, up: bool) -> None:
        self.world.note("cut", self.number, "up" if up else "down", how)
        if how in ("silence", "dead"):
            self._silent_up = self._silent_up or up or how == "dead"
            self._silent_down = self._silent_down or not up or how == "dead"
            self._give_up_later()
            return
        self._severed = True
        if up:
            self._up_us = max(self._up_us, self.world.now_us + self._delay_us())
            self.world.at(self._up_us, self._end_server, how)
            self.world.at(self._up_us, self._travel_down, how, b"")
        else:
            self._travel_down(how, b"")
            self.world.at(self._down_us, self._end_server, how)

    def _count_round_trip(self) -> None:
        self._asked = False
        self.round_trips += 1
        self.net.totals["round_trips"] += 1

    def _delay_us(self) -> int:
        conditions = self.conditions
        if conditions.jitter_ms:
            jitter_ms = self.net.rng.random() * conditions.jitter_ms
            return int((conditions.latency_ms + jitter_ms) * 1000)
        return int(conditions.latency_ms * 1000)

    def _split(self, data: bytes) -> int:
        """Where a segment is torn in two; its length if it is not."""
        size = len(data)
        split = self.conditions.split
        if split and size > 1 and self.net.rng.random() < split:
            return self.net.rng.randrange(1, size)
        return size

    def _gap_us(self) -> int:
        return int(self.net.rng.random() * 1000 * (self.conditions.latency_ms + 1))


def _nothing() -> None:
    """Time for a wait to look again."""
