"""What a source is told from other threads than the one that reads."""

import collections
import threading
from collections.abc import Callable, Sequence

from fieldpost.collect.intake import Receipt


class Orders:
    """wake: called after each of them, from the thread that gives it. The thread that reads looks:

    receipts: of what is stored, and not acknowledged yet; it takes them out. reads: whether more
    is to be read. ends: set when it is to end.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.receipts: collections.deque[Receipt] = collections.deque()
        self.reads = True
        self.ends = threading.Event()

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """What they stand for is stored."""
        self.receipts.extend(receipts)
        self._wake()

    def hold(self) -> None:
        """Read nothing more."""
        self.reads = False
        self._wake()

    def stop(self) -> None:
        """End."""
        self.ends.set()
        self._wake()
