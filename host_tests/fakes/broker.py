"""An MQTT 3.1.1 broker in memory, on the world's virtual time: strict, and faulty on demand.

    broker = Broker(world)
    broker.serve(net)                                     # as ("broker", 1883)
    broker.watch("fieldpost/+/telemetry", readings.append)
    assert not broker.violations

What a client did wrong is in `violations`, and its connection closed; `records` is everything
that was published. The tests compare its answers with Mosquitto's, byte by byte.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from fakes import mqtt_packets as mqtt
from fakes.broker_client import Client
from fakes.broker_session import Message, Session
from fakes.habits import Habits
from fakes.net import Connection, FakeNet, Listener
from fakes.world import World


class Record(NamedTuple):
    """One PUBLISH as the broker accepted it; `client` is "" if the broker itself sent it."""

    time_us: int
    client: str
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool


class Violation(NamedTuple):
    time_us: int
    client: str
    reason: str


class Broker:
    """Options, which are also the faults (change them at any time):

    `users`: {user: password} or None, who lets everyone in; `refuse`: CONNACK code 1-5 for
    everyone, 0 none; `early`: whether packets before CONNACK are allowed; `enforce_keepalive`;
    `connack_delay_ms`, `puback_delay_ms`: a number, or a function of nothing that returns one;
    `shuffle_pubacks`: those of one segment leave in another order; `mute`: takes everything and
    answers nothing; `answer`: a function (name of the packet, its bytes) -> the bytes to send
    instead, or None for none; `inflight`, `queue`: messages per session, as in Mosquitto;
    `habits`: what this broker does otherwise than others (`fakes.habits`).
    """

    def __init__(self, world: World, rng: random.Random | None = None, **options: Any) -> None:
        self.world = world
        self.rng = rng or random.Random(0)
        self.users: dict[str, str] | None = None
        self.refuse = 0
        self.early = True
        self.enforce_keepalive = True
        self.connack_delay_ms: float | Callable[[], float] = 0
        self.puback_delay_ms: float | Callable[[], float] = 0
        self.shuffle_pubacks = False
        self.mute = False
        self.answer: Callable[[str, bytes], bytes | None] | None = None
        self.inflight = 20
        self.queue = 1000
        self.largest_packet = 1 << 20
        self.habits = Habits()
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError(f"a broker has no option {name!r}")
            setattr(self, name, value)
        self.records: deque[Record] = deque()
        self.violations: list[Violation] = []
        self.connects: list[tuple[int, mqtt.Connect]] = []
        self.sessions: dict[str, Session] = {}
        self.clients: dict[str, Client] = {}
        self.retained: dict[str, Message] = {}
        self.dropped = 0
        self.listener: Listener | None = None
        self._watches: list[tuple[str, Callable[[Record], Any]]] = []
        self._routes: dict[str, tuple[list, list]] = {}
        self._anonymous = 0

    # -- for tests -----------------------------------------------------------------------------

    def serve(self, net: FakeNet, host: str = "broker", port: int = 1883) -> Listener:
        self.listener = net.listen(host, port, self.accept)
        return self.listener

    def accept(self, connection: Connection) -> Client:
        return Client(self, connection)

    def watch(self, pattern: str, callback: Callable[[Record], Any]) -> Callable[[], None]:
        """Call back for every message published from now on. Returns the function that ends it."""
        watch = (pattern, callback)
        self._watches.append(watch)
        self._routes.clear()

        def end() -> None:
            self._watches.remove(watch)
            self._routes.clear()

        return end

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> None:
        """As if some other client had published."""
        self.route("", Message(topic, payload, qos, retain), dup=False)

    def flood(
        self, topic: str, count: int, size: int = 100, interval_ms: float = 0, qos: int = 0
    ) -> None:
        for index in range(count):
            payload = (b"%d " % index).ljust(size, b".")
            self.world.after_ms(index * interval_ms, self.publish, topic, payload, qos)

    def inject(self, data: bytes, client_id: str | None = None) -> None:
        """Send raw bytes to one client, or to all."""
        for name, client in list(self.clients.items()):
            if client_id in (None, name):
                client.connection.send(data)

    def kick(self, client_id: str, how: str = "reset") -> None:
        """End one client's connection: "close" or "reset". Its will is published."""
        self.clients[client_id].end("kicked", how)

    def stop(self, how: str = "reset") -> None:
        """The process is killed: "close" or "reset" is what its peers see, "dark" is nothing."""
        if self.listener is not None:
            self.listener.stop(how)
        for client in list(self.clients.values()):
            client.gone()
        self.clients.clear()

    def start(self, keep_sessions: bool = True) -> None:
        if not keep_sessions:
            self.sessions.clear()
            self.retained.clear()
            self._routes.clear()
        if self.listener is not None:
            self.listener.start()

    # -- for its clients -----------------------------------------------------------------------

    def violated(self, client_id: str, reason: str) -> None:
        self.violations.append(Violation(self.world.now_us, client_id, reason))
        self.world.note("violation", client_id, reason)

    def admit(self, connect: mqtt.Connect) -> str:
        """The client's id, or raises Refused."""
        if self.refuse:
            raise mqtt.Refused(self.refuse)
        if self.users is not None:
            password = (connect.password or b"").decode("utf-8", "replace")
            if connect.user is None or self.users.get(connect.user) != password:
                raise mqtt.Refused(5)
        self.connects.append((self.world.now_us, connect))
        if connect.client_id:
            return connect.client_id
        self._anonymous += 1
        return f"anonymous-{self._anonymous}"

    def session_for(self, client_id: str, clean: bool) -> tuple[Session, bool]:
        """(session, whether it was there already)."""
        old = self.sessions.get(client_id)
        if old is not None and not clean:
            return old, True
        session = Session(client_id, clean)
        self.sessions[client_id] = session
        self._routes.clear()
        return session, False

    def forget(self, session: Session) -> None:
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
            self._routes.clear()

    def subscribe(self, session: Session, pattern: str, qos: int) -> list[Message]:
        """Returns the retained messages that the subscription brings."""
        session.subscriptions[pattern] = qos
        self._routes.clear()
        return [one for topic, one in self.retained.items() if mqtt.matches(pattern, topic)]

    def unsubscribe(self, session: Session, pattern: str) -> None:
        session.subscriptions.pop(pattern, None)
        self._routes.clear()

    def route(self, client_id: str, message: Message, dup: bool) -> None:
        """Record a message and pass it on to everyone who wants it."""
        topic = message.topic
        record = Record(
            self.world.now_us, client_id, topic, message.payload, message.qos, message.retain, dup
        )
        self.records.append(record)
        if message.retain:
            if message.payload:
                self.retained[topic] = message
            else:
                self.retained.pop(topic, None)
        route = self._routes.get(topic)
        if route is None:
            route = self._find_route(topic)
        for session, qos in route[0] if self.habits.may_read(topic) else ():
            session.deliver(self, message, min(qos, message.qos), retain=False)
        for callback in route[1]:
            callback(record)

    def _find_route(self, topic: str) -> tuple[list, list]:
        takers = []
        for session in self.sessions.values():
            granted = [
                qos
                for pattern, qos in session.subscriptions.items()
                if mqtt.matches(pattern, topic)
            ]
            if granted:
                takers.append((session, max(granted)))
        watches = [call for pattern, call in self._watches if mqtt.matches(pattern, topic)]
        route = (takers, watches)
        if len(self._routes) < 10_000:
            self._routes[topic] = route
        return route
