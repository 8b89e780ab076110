"""Tells pages of what has come into the store, after it is there."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from fieldpost.collect.collector import TakesRows
from fieldpost.processes.started import Started
from fieldpost.serve import history
from fieldpost.serve.bench import Bench
from fieldpost.serve.journal import Journal
from fieldpost.serve.overview import Overview
from fieldpost.store.rows import Event, Reading, Row, Written

# A page is told of nodes so often at most, and of so many in one message.
_EVERY_S = 0.4
_AT_ONCE = 50


class Announced:
    """A store for a collector. also: told of each batch of rows, too."""

    def __init__(
        self,
        store: TakesRows,
        overview: Overview,
        journal: Journal,
        also: Callable[[Iterable[Row]], None],
    ) -> None:
        self._store = store
        self._overview = overview
        self._journal = journal
        self._also = also

    def write(self, rows: Sequence[Row]) -> Written:
        """As the store's own."""
        written = self._store.write(rows)
        try:
            self._overview.note(rows)
        except SQLAlchemyError:
            pass  # They are stored. A node that could not be read is, when more comes of it.
        self._also(rows)
        for row in rows:
            if isinstance(row, Event):
                self._journal.add("event", history.told(row))
        readings = [row for row in rows if isinstance(row, Reading)]
        if readings:
            self._journal.add("readings", _by_node(readings))
        return written


class Teller(Started):
    """Tells pages how nodes are now, when something is new of them, until `close`."""

    def __init__(self, overview: Overview, journal: Journal, bench: Bench) -> None:
        self._overview = overview
        self._journal = journal
        self._bench = bench
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """In a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._end.set()
        if self._thread.ident:
            self._thread.join(2.0)

    def _run(self) -> None:
        connections = 0
        while not self._end.wait(_EVERY_S):
            if self._bench.relay and self._bench.relay.connections != connections:
                connections = self._bench.relay.connections
                self._journal.add("bench", self._bench.told())
            names = self._overview.changed()
            for start in range(0, len(names), _AT_ONCE):
                try:
                    rows = self._overview.rows(names[start : start + _AT_ONCE])
                except SQLAlchemyError:
                    continue  # What is new of them is told with what comes next.
                self._journal.add("nodes", rows)


def _by_node(readings: Sequence[Reading]) -> dict[str, Any]:
    """How many, and from when: a page reads the curve anew that they belong to."""
    found: dict[str, dict[str, Any]] = {}
    for one in readings:
        taken = one.ts if one.ts is not None else one.received - (one.age_s or 0)
        before = found.setdefault(one.node, {"count": 0, "begin": taken, "end": taken})
        before["count"] += 1
        before["begin"] = min(before["begin"], taken)
        before["end"] = max(before["end"], taken)
    return found
