"""From the broker into the store: a message is acknowledged when its commit is done, not before.

Two threads: one reads and acknowledges, one stores. What is stored and not acknowledged when this
ends comes again, and its key tells that it is there; what is not stored was not acknowledged.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Reader
from fieldpost.store.errors import StoreAway
from fieldpost.store.rows import Rejected, Row, Written

BATCH_MAX = 1000
_WAIT_S = 0.5
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 15.0


class TakesRows(Protocol):
    """A store, as far as it is written to."""

    def write(self, rows: Sequence[Row]) -> Written:
        """Raises StoreAway if none of them could be stored."""
        ...


class TakesReceipts(Protocol):
    """A session with a broker, as far as messages are acknowledged in it."""

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """What they stand for is stored."""
        ...


class Storing:
    """Takes what is in `intake`, stores it in batches, and then has it acknowledged.

    tell: given each sentence for the user; tell_of_many: of a message, of which there can be as
    many as somebody likes to send. `written`: counts of all. `is_away`: whether the store
    did not take the last batch. `commit_s`: what the last commit took. `on_commit`: told of each.
    """

    def __init__(
        self,
        store: TakesRows,
        session: TakesReceipts,
        intake: Intake,
        reader: Reader,
        tell: Callable[[str], None],
        tell_of_many: Callable[[str], None],
    ) -> None:
        self._store = store
        self._session = session
        self._intake = intake
        self._reader = reader
        self._tell = tell
        self._tell_of_many = tell_of_many
        self.on_commit: Callable[[Written, float], None] = lambda _written, _took_s: None
        self._stop = threading.Event()
        self.written = Written()
        self.is_away = False
        self.commit_s = 0.0

    def run(self) -> None:
        """Store until `stop`, and then what has arrived by then."""
        while not self._stop.is_set() or len(self._intake):
            arrivals = self._intake.take(BATCH_MAX, _WAIT_S)
            if arrivals and not self._store_batch(arrivals):
                return

    def stop(self) -> None:
        """End `run`. From any thread."""
        self._stop.set()
        self._intake.wake()

    def _store_batch(self, arrivals: list[Arrival]) -> bool:
        """Whether they are stored: it goes on until they are, or until `stop`."""
        rows = [self._reader.read(one.message) for one in arrivals]
        retry_s = _RETRY_FIRST_S
        while True:
            begin = time.monotonic()
            try:
                written = self._store.write(rows)
            except StoreAway as error:
                if self._stop.is_set():
                    self._tell(f"not stored, and not acknowledged: {error}")
                    return False
                if not self.is_away:
                    self._tell(f"the store takes nothing; trying again: {error}")
                self.is_away = True
                self._stop.wait(retry_s)
                retry_s = min(retry_s * 2, _RETRY_MOST_S)
                continue
            break
        self.commit_s = time.monotonic() - begin
        self._session.acknowledge([one.receipt for one in arrivals if one.receipt])
        if self.is_away:
            self.is_away = False
            self._tell("the store takes readings again")
        self._count(rows, written)
        return True

    def _count(self, rows: Sequence[Row], written: Written) -> None:
        for row in rows:
            if isinstance(row, Rejected):
                self._tell_of_many(f"rejected: {row.topic}: {row.why}")
        for sentence in written.told:
            self._tell_of_many(sentence)
        written.told.clear()
        self.written.add(written)
        self.on_commit(written, self.commit_s)
