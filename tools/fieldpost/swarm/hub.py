"""Lets code that waits run by the thousand: each in a greenlet, all on one asyncio loop.

The firmware waits where a board would, in `poll` and `sleep_ms`. Here both hand over to the loop,
and go on when it is time: so the very same code runs, and no thread is needed for each node.
SQLAlchemy runs its drivers on asyncio in the same way.
"""

import asyncio
from collections.abc import Callable

from greenlet import getcurrent, greenlet


class Hub:
    """The loop and what waits on it. To be made within the running loop.

    failed: what was raised in a greenlet, and not caught there.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = getcurrent()
        self._waiting: set[greenlet] = set()
        self.failed: list[BaseException] = []

    def start(self, work: Callable[[], object], after_s: float = 0.0) -> greenlet:
        """Have `work()` run in a greenlet of its own, that many seconds from now."""

        def run() -> None:
            try:
                work()
            except Exception as error:
                # Here it would end as a line of the loop's log.
                self.failed.append(error)

        made = greenlet(run, self._main)
        self._loop.call_later(after_s, made.switch)
        return made

    def end(self, one: greenlet, error: BaseException) -> None:
        """Raise `error` in what waits: nothing, if it has ended or has not begun."""
        if one in self._waiting:
            one.throw(error)

    def sleep_s(self, duration_s: float) -> None:
        """Wait within a greenlet."""
        here = getcurrent()
        timer = self._loop.call_later(duration_s, here.switch)
        try:
            self._wait(here)
        finally:
            timer.cancel()

    def wait_for(self, reads: list[int], writes: list[int], timeout_s: float | None) -> None:
        """Wait within a greenlet for any of these descriptors to be ready, or the time to pass."""
        here = getcurrent()
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, here.switch)
        for number in reads:
            self._loop.add_reader(number, self._wake, here)
        for number in writes:
            self._loop.add_writer(number, self._wake, here)
        try:
            self._wait(here)
        finally:
            if timer:
                timer.cancel()
            for number in reads:
                self._loop.remove_reader(number)
            for number in writes:
                self._loop.remove_writer(number)

    def _wait(self, here: greenlet) -> None:
        self._waiting.add(here)
        try:
            self._main.switch()
        finally:
            self._waiting.discard(here)

    def _wake(self, one: greenlet) -> None:
        # Two descriptors may be ready in one turn of the loop: the first was enough.
        if one in self._waiting:
            one.switch()
