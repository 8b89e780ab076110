"""When a collector ends by itself: after so many readings, so long, or so long a silence."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fieldpost.store.rows import Written


@dataclass(frozen=True)
class Limits:
    """count: of new readings. timeout_s: since it began. quiet_s: since the last message that came
    while it was with the broker. None: no such limit."""

    count: int | None = None
    timeout_s: float | None = None
    quiet_s: float | None = None


class Collects(Protocol):
    """A collector that runs."""

    def written(self) -> Written:
        """Counts of all that is stored."""
        ...

    def waiting(self) -> int:
        """Messages that have arrived and are not stored."""
        ...

    def is_connected(self) -> bool:
        """With the broker."""
        ...


class Ending:
    """Call it several times in a second: whether it is to end now. `is_quiet`: for its silence."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._began = self._heard = now()
        self._seen = 0
        self.is_quiet = False

    def __call__(self, collector: Collects) -> bool:
        limits, now = self._limits, self._now()
        written = collector.written()
        seen = sum(written.counts().values())
        # What is not stored yet has come, and a broker that is away may have more.
        if seen != self._seen or collector.waiting() or not collector.is_connected():
            self._seen, self._heard = seen, now
        self.is_quiet = limits.quiet_s is not None and now - self._heard >= limits.quiet_s
        return (
            self.is_quiet
            or (limits.timeout_s is not None and now - self._began >= limits.timeout_s)
            or (limits.count is not None and written.stored >= limits.count)
        )
