"""What a swarm's broker hands on, counted by the key that every subscriber should store by."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError
from fieldpost.mqtt.client import Connection, forget_session
from fieldpost.mqtt.url import BrokerAddress

Key = tuple[int, int]
_KEY = re.compile(rb'\{"boot":(\d+),"seq":(\d+),')
# When nothing has come for so long, nothing is under way. A cluster that chooses a new leader is
# silent for some seconds.
QUIET_S = 15.0
_LOOK_S = 0.2


@dataclass(frozen=True)
class Came:
    """Counts. lost: accepted, acknowledged, and not handed on. foreign: under a key that no node
    of the swarm gave. repeats: of a key that had come before. waited_s: for what was acknowledged
    and still under way. still_coming: more of it came until there was no time left."""

    readings: int
    lost: int
    foreign: int
    repeats: int
    waited_s: float = 0.0
    still_coming: bool = False


class Arrivals:
    """A subscriber, from entering `with` until leaving it. Raises CommandError.

    The broker keeps its session while the connection is away, and over a restart if it keeps any.
    """

    def __init__(self, broker: BrokerAddress, base: str, prefix: str) -> None:
        self._filter = f"{base}/+/telemetry"
        self._start = f"{base}/{prefix}-"
        self._keys: dict[str, set[Key]] = {}
        self._lock = threading.Lock()
        self._broker = broker
        self._id = f"fieldpost-{prefix}-arrivals"
        self.repeats = 0
        self._connection = Connection(
            broker,
            on_message=self._arrived,
            on_connected=lambda: self._connection.resubscribe(self._filter, 1),
            client_id=self._id,
            clean=False,
            retry_s=1.0,
        )

    def __enter__(self) -> Self:
        forget_session(self._broker, self._id)
        self._connection.open()
        # The first readings may follow at once, and come to whoever is subscribed by then.
        self._connection.subscribe(self._filter, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        with contextlib.suppress(CommandError):
            forget_session(self._broker, self._id)

    @property
    def count(self) -> int:
        """Readings so far, each once."""
        with self._lock:
            return sum(map(len, self._keys.values()))

    def compare(self, accepted: Mapping[str, set[Key]], waiting: int) -> Came:
        """With what each node accepted, `waiting` of which nobody has acknowledged."""
        with self._lock:
            came = {name: set(keys) for name, keys in self._keys.items()}
        missing = sum(len(keys - came.get(name, set())) for name, keys in accepted.items())
        foreign = sum(len(keys - accepted.get(name, set())) for name, keys in came.items())
        readings = sum(map(len, came.values())) - foreign
        # One that waits may have come all the same: its acknowledgement is on its way.
        return Came(readings, max(missing - waiting, 0), foreign, self.repeats)

    def settled(
        self,
        accepted: Mapping[str, set[Key]],
        waiting: int,
        limit_s: float,
        on_look: Callable[[], object] = lambda: None,
        quiet_s: float = QUIET_S,
    ) -> Came:
        """`compare`, once all has come: what the broker has acknowledged it may hand on later.

        Waits while more comes, `limit_s` at most, and until nothing has come for `quiet_s`; a
        subscriber who is away is no sign of that.
        """
        begin_s = time.monotonic()
        wanted = sum(map(len, accepted.values())) - waiting
        count, since_s, now_s = -1, begin_s, begin_s
        while True:
            before, count = count, self.count
            if count != before:
                since_s = now_s
                if count >= wanted and not self.compare(accepted, waiting).lost:
                    break
            elif self._connection.is_lost():
                since_s = now_s
            if now_s - since_s >= quiet_s or now_s - begin_s >= limit_s:
                break
            on_look()
            time.sleep(_LOOK_S)
            now_s = time.monotonic()
        came = self.compare(accepted, waiting)
        return replace(
            came,
            waited_s=round(now_s - begin_s, 1),
            still_coming=bool(came.lost) and now_s - since_s < quiet_s,
        )

    def _arrived(self, message: MQTTMessage) -> None:
        if not message.topic.startswith(self._start):
            return
        name = message.topic.rsplit("/", 2)[1]
        found = _KEY.match(message.payload)
        key = (int(found[1]), int(found[2])) if found else (-1, -1)
        with self._lock:
            keys = self._keys.setdefault(name, set())
            self.repeats += key in keys
            keys.add(key)
