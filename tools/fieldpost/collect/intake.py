"""What has arrived and is not stored yet, within bounds.

The thread that reads from the broker looks for room first. Where there is none it stops reading,
and the broker keeps the rest.
"""

import collections
import threading
from dataclasses import dataclass

from fieldpost.collect.message import Message

WAITING_MAX = 5000
BYTES_MAX = 64 * 1024 * 1024
# A message beside its bytes, as Python keeps it.
_EACH_BYTES = 600


@dataclass(frozen=True)
class Receipt:
    """What the broker is told when the message is stored: its number, MQTT's packet id or AMQP's
    delivery tag, in the connection in which it came, for another connection may use the number
    for another message."""

    connection: int
    number: int


@dataclass(frozen=True)
class Arrival:
    """receipt: None for a message that the broker wants none for."""

    message: Message
    receipt: Receipt | None


class Intake:
    """A queue between the thread that reads and the one that stores."""

    def __init__(self, waiting_max: int = WAITING_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._waiting: collections.deque[Arrival] = collections.deque()
        self._waiting_max = waiting_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._woken = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self) -> bool:
        """For one more message, however long."""
        return len(self._waiting) < self._waiting_max and self._bytes < self._bytes_max

    def put(self, arrival: Arrival) -> None:
        """Never waits. Whoever reads asks `has_room` before."""
        with self._changed:
            self._waiting.append(arrival)
            self._bytes += _size(arrival)
            self._changed.notify()

    def take(self, most: int, timeout_s: float) -> list[Arrival]:
        """The oldest, `most` at most. Waits until there is one; empty after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._woken, timeout_s)
            count = min(most, len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(count)]
            self._bytes -= sum(map(_size, taken))
            return taken

    def wake(self) -> None:
        """End a wait in `take`, and from now on wait no more."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()


def _size(arrival: Arrival) -> int:
    return len(arrival.message.payload) + _EACH_BYTES
