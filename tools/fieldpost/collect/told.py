"""What `fieldpost collect` says while it runs: sentences, and in a terminal how far it is."""

import collections
import sys
import threading
import time
from collections.abc import Callable
from typing import Self

from rich.live import Live
from rich.text import Text

from fieldpost.terminal.console import Console
from fieldpost.terminal.safe_text import neutral, to_json
from fieldpost.terminal.wrapping import fit

# A node that has gone mad, or a stranger, does not fill a log.
_IN_A_MINUTE = 20
_MINUTE_S = 60.0
# Elsewhere than in a terminal.
_ACCOUNT_EVERY_S = 600.0


class Told:
    """Sentences from any thread. as_json: an object on standard output for each, too."""

    def __init__(self, as_json: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._as_json = as_json
        self._now = now
        self._lock = threading.Lock()
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._recent: collections.deque[float] = collections.deque(maxlen=_IN_A_MINUTE)
        self._left_out = 0
        self._account_at = now() + _ACCOUNT_EVERY_S
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_live:
            self._live.stop()

    def say(self, text: str) -> None:
        """A sentence about the collector."""
        with self._lock:
            self._print(text)

    def say_of_many(self, text: str) -> None:
        """A sentence about a message; of many in a minute some are only counted."""
        with self._lock:
            now = self._now()
            full = len(self._recent) == _IN_A_MINUTE
            if full and now - self._recent[0] < _MINUTE_S:
                self._left_out += 1
                return
            self._recent.append(now)
            if self._left_out:
                self._print(f"{self._left_out} more of this kind were not told")
                self._left_out = 0
            self._print(text)

    def how_far(self, text: str) -> None:
        """The account so far."""
        if self._is_live:
            self._live.update(Text(neutral(text), no_wrap=True, overflow="ellipsis"))
        elif self._now() >= self._account_at:
            self._account_at = self._now() + _ACCOUNT_EVERY_S
            with self._lock:
                self._print(text)

    def _print(self, text: str) -> None:
        if self._as_json:
            sys.stdout.write(to_json({"time": round(time.time(), 3), "text": text}) + "\n")
            sys.stdout.flush()
            return
        self._console.print(Text(fit(neutral(text), sys.stderr)))
