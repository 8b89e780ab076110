"""What a broker keeps of one client, which can outlive its connection."""

from collections import deque
from typing import NamedTuple, Protocol

from fakes.habits import Habits


class Message(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    retain: bool


class Client(Protocol):
    """The connection that a session has at present (`fakes.broker_client.Client`)."""

    def send_publish(self, message: Message, pid: int, dup: bool) -> None: ...


class Broker(Protocol):
    """What a session needs of the broker that keeps it (`fakes.broker.Broker`)."""

    inflight: int
    queue: int
    dropped: int
    habits: Habits


class Session:
    """Subscriptions, and messages with QoS 1 that are not yet acknowledged (3.1.2.4)."""

    def __init__(self, client_id: str, clean: bool) -> None:
        self.client_id = client_id
        self.clean = clean
        self.subscriptions: dict[str, int] = {}
        self.inflight: dict[int, Message] = {}
        self.queued: deque[Message] = deque()
        self.incoming_qos2: set[int] = set()
        self.client: Client | None = None
        self._next_id = 1

    def deliver(self, broker: Broker, message: Message, qos: int, retain: bool) -> None:
        message = Message(message.topic, message.payload, qos, retain)
        if qos == 0:
            if self.client is not None:
                self.client.send_publish(message, 0, dup=False)
        elif self.client is not None and not self.queued and len(self.inflight) < broker.inflight:
            self._send(message)
        elif len(self.queued) < broker.queue:
            self.queued.append(message)
        else:
            broker.dropped += 1

    def acknowledged(self, broker: Broker, pid: int) -> None:
        if self.inflight.pop(pid, None) is not None:
            self.send_queued(broker)

    def send_queued(self, broker: Broker) -> None:
        while self.queued and len(self.inflight) < broker.inflight:
            message = self.queued.popleft()
            self._send(message._replace(retain=message.retain or broker.habits.queue_retain))

    def resume(self, broker: Broker, client: Client) -> None:
        """What was not acknowledged goes out again with DUP, then what waited (4.4)."""
        if self.client is not client:
            return  # It went before its messages came.
        for pid, message in list(self.inflight.items()):
            client.send_publish(message, pid, dup=True)
        self.send_queued(broker)

    def _send(self, message: Message) -> None:
        while self._next_id in self.inflight:
            self._next_id = self._next_id % 65_535 + 1
        pid = self._next_id
        self._next_id = pid % 65_535 + 1
        self.inflight[pid] = message
        if self.client is not None:
            self.client.send_publish(message, pid, dup=False)
