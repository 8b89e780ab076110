"""Looks on while `fieldpost doctor` does what a node does: what the broker keeps and passes on."""

import threading
import time
from typing import Self

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError
from fieldpost.messages.payload import BYTES_MAX
from fieldpost.mqtt.client import Connection, Lost
from fieldpost.mqtt.url import BrokerAddress

_QUIET_S = 0.5
# Of what is retained: a broker that sends on and on is not waited for, nor kept.
_RETAINED_S = 5.0
_CAME_MAX = 200


class Watcher:
    """An account that subscribes, topic by topic. As a context manager it ends with it.

    blind: the topics that the broker does not let it subscribe to. latest: by topic, what was
    retained there, or has come since.
    """

    def __init__(self, address: BrokerAddress, client_id: str, timeout_s: float) -> None:
        self._address = address
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._came: list[tuple[str, bytes]] = []
        self._watched: set[str] = set()
        self._last = 0.0
        self._connection: Connection | None = None
        self.blind: set[str] = set()
        self.latest: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            self._connection.close()

    def watch(self, *topics: str) -> None:
        """Subscribe to each, and take what is retained there. Raises CommandError if the broker
        does not let it in."""
        for topic in topics:
            self._watched.add(topic)
            if self._connection is None:
                self._connection = Connection(
                    self._address,
                    on_message=self._arrived,
                    client_id=self._client_id,
                    retry_s=None,
                )
                self._connection.open(self._timeout_s)
            try:
                self._connection.subscribe(topic, 1, self._timeout_s)
            except Lost:
                # There are brokers that end the connection over it.
                self.blind.add(topic)
                self._connection.close()
                self._connection = None
            except CommandError:
                self.blind.add(topic)
        self._last = time.monotonic()
        end = self._last + _RETAINED_S
        while (left_s := min(self._last + _QUIET_S, end) - time.monotonic()) > 0:
            time.sleep(left_s)

    def sees(self, topic: str, payload: bytes | None, limit_s: float) -> bool:
        """Whether this message comes, or any at all on the topic; or has come already."""

        def came() -> bool:
            return any(topic == where and payload in (None, what) for where, what in self._came)

        with self._changed:
            return self._changed.wait_for(came, limit_s)

    def _arrived(self, message: MQTTMessage) -> None:
        with self._changed:
            self._last = time.monotonic()
            data = bytes(message.payload)
            if message.topic in self._watched:
                self.latest[message.topic] = data
                is_short = len(data) <= BYTES_MAX
                if is_short and not message.retain and len(self._came) < _CAME_MAX:
                    self._came.append((message.topic, data))
            self._changed.notify_all()
