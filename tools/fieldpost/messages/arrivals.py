"""Messages between the thread that receives them and the one that prints them, within bounds."""

import collections
import queue
import threading
import time

from paho.mqtt.client import MQTTMessage

_WAITING_MAX = 100_000
_BYTES_MAX = 32 * 1024 * 1024
_MESSAGE_BYTES = 200
_WAIT_MAX_S = 3600.0
# For what waits at the end of the time.
_REST_S = 1.0


class Arrivals:
    """A queue. Of what comes faster than it is read, what is beyond the bounds is counted only."""

    def __init__(self, waiting_max: int = _WAITING_MAX, bytes_max: int = _BYTES_MAX) -> None:
        self._waiting: collections.deque[MQTTMessage] = collections.deque()
        self._waiting_max = waiting_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._changed = threading.Condition()
        self.missed = 0

    def put(self, message: MQTTMessage) -> None:
        """Never waits: the thread that receives must answer the broker."""
        with self._changed:
            full = self._bytes + _size(message) > self._bytes_max
            if len(self._waiting) >= self._waiting_max or (full and self._waiting):
                self.missed += 1
                return
            self._waiting.append(message)
            self._bytes += _size(message)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> MQTTMessage:
        """The oldest that waits. Raises queue.Empty after `timeout` seconds; None: waits on."""
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._waiting, _WAIT_MAX_S if timeout is None else timeout
            ):
                if timeout is not None:
                    raise queue.Empty
            message = self._waiting.popleft()
            self._bytes -= _size(message)
            return message

    def get_until(self, end: float | None) -> MQTTMessage:
        """The oldest that waits. Raises queue.Empty at `end`, a time of time.monotonic(), or soon
        after it, if messages wait then: those are taken, but not what comes without an end."""
        if end is None:
            return self.get()
        left_s = end - time.monotonic()
        if left_s < -_REST_S:
            raise queue.Empty
        return self.get(timeout=max(0.0, left_s))


def _size(message: MQTTMessage) -> int:
    return len(message.payload) + len(message.topic) + _MESSAGE_BYTES
