"""What a monitor is told: console lines, MQTT messages, and what became of the connections.

Everything that happens goes through one bounded queue, in the order in which it happened.
"""

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

# Of a payload and of a topic; a node's own messages are shorter.
TEXT_MAX = 16_384
TOPIC_MAX = 1000
_WAITING_MAX = 10_000

Source = Literal["console", "mqtt", "notice"]


@dataclass(frozen=True)
class Event:
    """at: Unix seconds. text: of MQTT, the payload. topic and retained: of MQTT alone."""

    source: Source
    text: str
    topic: str = ""
    retained: bool = False
    at: float = field(default_factory=time.time)


class Events:
    """The queue. Who is too slow to read it misses events, and is told how many."""

    def __init__(self, waiting_max: int = _WAITING_MAX) -> None:
        self._queue: queue.Queue[Event] = queue.Queue(waiting_max)
        self._lock = threading.Lock()
        self._missed = 0

    def put(self, event: Event) -> None:
        """Never waits."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            with self._lock:
                self._missed += 1

    def notice(self, text: str) -> None:
        """Something that the user must know of the monitor itself."""
        self.put(Event("notice", text))

    def get(self, limit_s: float) -> Event | None:
        """The next event; None if there was none within the limit."""
        with self._lock:
            missed, self._missed = self._missed, 0
        if missed:
            return Event("notice", f"{missed} lines came faster than they could be shown")
        try:
            return self._queue.get(timeout=limit_s)
        except queue.Empty:
            return None
