"""While a collector runs, what is older than is to be kept goes, a little at a time.

An age is told by this machine's clock. One that was set far ahead would make all of it old: so
nothing is removed while the clock has not gone as time has since we began.
"""

import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fieldpost.store.removal import remove_others, remove_some

_EVERY_S = 3600.0
_FIRST_S = 60.0
_STEP_S = 120.0


class Keeping:
    """Call it several times in a second. tell: given each sentence for the user."""

    def __init__(
        self,
        engine: Engine,
        keep_s: float,
        tell: Callable[[str], None],
        *,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._keep_s = keep_s
        self._tell = tell
        self._now = now
        self._elapsed = elapsed
        self._began = now(), elapsed()
        self._next = elapsed() + _FIRST_S
        self._done = 0
        self._is_told = False

    def __call__(self) -> None:
        if self._elapsed() < self._next:
            return
        if self._is_stepped():
            if not self._is_told:
                self._tell("the clock was set: nothing is removed for its age until a restart")
            self._is_told = True
            self._next = self._elapsed() + _EVERY_S
            return
        try:
            self._remove(self._now() - self._keep_s)
        except SQLAlchemyError as error:
            line = " ".join(str(getattr(error, "orig", error)).split())[:200]
            self._tell(f"what is old can't be removed now: {line}")
            self._next = self._elapsed() + _EVERY_S

    def _remove(self, before_s: float) -> None:
        some = remove_some(self._engine, before_s)
        self._done += some
        if some:
            return
        others = remove_others(self._engine, before_s)
        if self._done or others:
            self._tell(f"{self._done} readings and {others} other rows were removed for their age")
        self._done = 0
        self._next = self._elapsed() + _EVERY_S

    def _is_stepped(self) -> bool:
        clock_s, time_s = self._now() - self._began[0], self._elapsed() - self._began[1]
        return abs(clock_s - time_s) > _STEP_S
