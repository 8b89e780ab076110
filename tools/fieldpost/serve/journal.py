"""What has happened since this server began, numbered, for pages that look on.

A page that comes back names the last number that it has seen, and gets what came behind it. If
that is no longer here, or was another server's, it is told to read everything anew.
"""

import asyncio
import collections
import itertools
import json
import secrets
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

KEPT_MAX = 5000
_BEAT_S = 15.0
_AT_ONCE = 200


@dataclass(frozen=True)
class Entry:
    """One thing that happened. number: higher than all before it. data: as JSON."""

    number: int
    kind: str
    data: str


class Journal:
    """Entries go in by `add` from any thread; `stream` gives them as server-sent events."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        # Numbers begin anew with each server, so they carry its name.
        self.name = secrets.token_hex(4)
        self._kept: collections.deque[Entry] = collections.deque(maxlen=kept_max)
        self._numbers = itertools.count(1)
        self._last = 0
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._is_closed = False

    def add(self, kind: str, data: Any) -> None:
        """Tell all who look on. Never waits."""
        text = json.dumps(data, separators=(",", ":"))
        with self._lock:
            self._last = next(self._numbers)
            self._kept.append(Entry(self._last, kind, text))
        self._wake()

    def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        self._wake()

    @property
    def streams(self) -> int:
        """How many look on."""
        return len(self._waiting)

    def after(self, number: int) -> list[Entry]:
        """Entries behind that one, the oldest first, some at once."""
        with self._lock:
            kept = [one for one in self._kept if one.number > number]
        return kept[:_AT_ONCE]

    def place(self, cursor: str) -> int | None:
        """The number in what a page gives as the last that it has seen; None if entries behind it
        are gone, or it is of another server."""
        name, _, text = cursor.partition("-")
        if name != self.name or not text.isdecimal() or len(text) > 15:
            return None
        number = int(text)
        with self._lock:
            first = self._kept[0].number if self._kept else self._last + 1
            return number if first - 1 <= number <= self._last else None

    async def stream(self, cursor: str) -> AsyncGenerator[str, None]:
        """Events for one page, from behind `cursor` on; without one, from now on."""
        place = self.place(cursor) if cursor else None
        if place is None:
            place = self._last
            kind = "again" if cursor else "begin"
            yield _text(f"{self.name}-{place}", kind, "{}")
        changed = asyncio.Event()
        self._waiting[changed] = asyncio.get_running_loop()
        try:
            while not self._is_closed:
                changed.clear()
                entries = self.after(place)
                if entries and entries[0].number > place + 1:
                    # It reads more slowly than things happen.
                    place = self._last
                    yield _text(f"{self.name}-{place}", "again", "{}")
                    continue
                for one in entries:
                    place = one.number
                    yield _text(f"{self.name}-{place}", one.kind, one.data)
                if not entries:
                    try:
                        await asyncio.wait_for(changed.wait(), _BEAT_S)
                    except TimeoutError:
                        # A connection that is gone is noticed by writing to it.
                        yield ": \n\n"
        finally:
            del self._waiting[changed]

    def _wake(self) -> None:
        for changed, loop in list(self._waiting.items()):
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                pass  # That loop has ended, and its streams with it.


def _text(cursor: str, kind: str, data: str) -> str:
    return f"id: {cursor}\nevent: {kind}\ndata: {data}\n\n"
