"""Sentences of which a stranger can cause as many as he likes: some are told, the rest counted."""

import collections
import threading
import time
from collections.abc import Callable

IN_A_MINUTE = 20
_MINUTE_S = 60.0


class Sparing:
    """Call it with each sentence; `tell` gets IN_A_MINUTE of them, and how many were left out."""

    def __init__(
        self, tell: Callable[[str], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._now = now
        self._lock = threading.Lock()
        self._recent: collections.deque[float] = collections.deque(maxlen=IN_A_MINUTE)
        self._left_out = 0

    def __call__(self, text: str) -> None:
        """From any thread."""
        with self._lock:
            now = self._now()
            if len(self._recent) == IN_A_MINUTE and now - self._recent[0] < _MINUTE_S:
                self._left_out += 1
                return
            self._recent.append(now)
            left_out, self._left_out = self._left_out, 0
        if left_out:
            self._tell(f"{left_out} more of such sentences are left out")
        self._tell(text)
