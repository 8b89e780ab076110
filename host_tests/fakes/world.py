"""One virtual time for everything that a simulation holds: nodes, network, broker.

Time is an integer of microseconds and moves only while some code waits. A wait runs the events
that fall due (a segment that arrives, a keepalive that ends), in the order of their time and, at
the same time, of their making; so a run depends on nothing but its seeds.

One life needs no more than that: it runs in the caller, and its waits run the events. Several
lives at once (`spawn`) are greenlets, of which exactly one runs at any moment: they switch at
waits only, in the order of virtual time.
"""

import calendar
import time as host_time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from greenlet import getcurrent, greenlet

_TICKS_MASK = (1 << 30) - 1
_TICKS_HALF = 1 << 29
_SECONDS_1970_TO_2000 = 946_684_800
DAY_US = 86_400_000_000


class Hang(BaseException):
    """A wait without a deadline that nothing in this world will ever end.

    No `Exception`: the firmware must not be able to handle what no board would survive.
    """


class Stopped(BaseException):
    """Ends a spawned life when the world is closed."""


class Event:
    """Something that happens at a moment; `cancel()` takes it back."""

    __slots__ = ("action", "arguments")

    def __init__(self, action: Callable[..., object] | None, arguments: tuple) -> None:
        self.action = action
        self.arguments = arguments

    def cancel(self) -> None:
        self.action = None


class Life:
    """One flow of control: the test's own, or one that was spawned."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: Callable[[], bool] | None = None
        self.exception: BaseException | None = None
        self.flow: greenlet | None = None
        self.wake: Event | None = None
        self.done = False
        self.result: Any = None


class World:
    """`now_us` and the events to come. `hang_after_us` bounds every wait without a deadline."""

    def __init__(self, start_us: int = 0, hang_after_us: int = DAY_US) -> None:
        self.now_us = start_us
        self.hang_after_us = hang_after_us
        self.trace: deque[tuple] = deque(maxlen=4000)
        self.main = Life("main")
        self.current = self.main
        self.lives: list[Life] = []
        self._waiting: list[Life] = []  # lives that watch for something besides their deadline
        self._runnable: list[Life] = []
        self._heap: list[tuple[int, int, Event]] = []
        self._count = 0

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000

    def note(self, *what: Any) -> None:
        """Remember something that happened, for the trace of the last events."""
        self.trace.append((self.now_us, *what))

    # -- events --------------------------------------------------------------------------------

    def at(self, time_us: int, action: Callable[..., object], *arguments: Any) -> Event:
        """Call `action(*arguments)` at `time_us`, or at once if that is past."""
        event = Event(action, arguments)
        self._count += 1
        heappush(self._heap, (max(time_us, self.now_us), self._count, event))
        return event

    def after_ms(self, delay_ms: float, action: Callable[..., object], *arguments: Any) -> Event:
        return self.at(self.now_us + int(delay_ms * 1000), action, *arguments)

    def interrupt(self, exception: BaseException, life: Life | None = None) -> None:
        """Raise `exception` in the wait of `life` (default: the test's own), now: a power cut."""
        life = life or self.main
        life.exception = exception
        # The one whose wait runs this event is the current one still, and waits all the same.
        if life in self.lives and (life is not self.current or life.wake is not None):
            self._make_runnable(life)

    # -- waiting -------------------------------------------------------------------------------

    def wait_until(self, until_us: int | None, ready: Callable[[], bool] | None = None) -> bool:
        """Let time pass until `ready()` (asked after every event), or until `until_us`.

        Returns True if ready. None waits without an end, and raises `Hang` if there is none.
        """
        if self.current.exception is not None:
            self._raise_if_told(self.current)
        if ready is not None and ready():
            return True
        limit_us = self.now_us + self.hang_after_us if until_us is None else until_us
        heap = self._heap
        if self._runnable or (heap and heap[0][0] <= limit_us):
            if self.lives:
                reached = self._wait_among_others(limit_us, ready)
            else:
                reached = self._wait_alone(limit_us, ready)
            if reached:
                return True
        elif limit_us > self.now_us:
            self.now_us = limit_us  # the usual case: nothing happens
        if until_us is None:
            raise Hang(f"a wait without a deadline, at {self.now_ms} ms")
        return False

    def _wait_alone(self, limit_us: int, ready: Callable[[], bool] | None) -> bool:
        heap = self._heap
        life = self.main
        while heap and heap[0][0] <= limit_us:
            self.now_us, _, event = heappop(heap)
            if event.action is None:
                continue
            event.action(*event.arguments)
            if life.exception is not None:
                self._raise_if_told(life)
            if ready is not None and ready():
                return True
        if limit_us > self.now_us:
            self.now_us = limit_us
        return False

    def advance_to(self, time_us: int) -> None:
        self.wait_until(time_us)

    def sleep_ms(self, duration_ms: float) -> None:
        self.wait_until(self.now_us + int(duration_ms * 1000))

    # -- several lives -------------------------------------------------------------------------

    def spawn(self, name: str, function: Callable[[], Any]) -> Life:
        """Start another life at this moment; it runs when the present one next waits."""
        life = Life(name)
        if not self.lives:
            self.main.flow = getcurrent()
            self.lives.append(self.main)
        # One that ends comes back to its parent, wherever that waits.
        life.flow = greenlet(lambda: self._live(life, function), self.main.flow)
        self.lives.append(life)
        self._runnable.append(life)
        return life

    def close(self) -> None:
        """End every spawned life at its present wait."""
        for life in self.lives[1:]:
            if not life.done:
                life.exception = Stopped()
                self._make_runnable(life)
        while any(not life.done for life in self.lives[1:]):
            self.wait_until(self.now_us + 1)
        self.lives = []

    def _live(self, life: Life, function: Callable[[], Any]) -> None:
        try:
            self._raise_if_told(life)
            life.result = function()
        except Stopped:
            pass
        except BaseException as error:  # the test raises it
            self.main.exception = self.main.exception or error
            self._make_runnable(self.main)
        life.done = True

    def _raise_if_told(self, life: Life) -> None:
        if life.exception is not None:
            exception, life.exception = life.exception, None
            raise exception

    def _wait_among_others(self, limit_us: int, ready: Callable[[], bool] | None) -> bool:
        life = self.current
        life.ready = ready
        life.wake = self.at(limit_us, self._make_runnable, life)
        if ready is not None:
            self._waiting.append(life)
        self.current = self._next_life()
        while self.current is not life:
            flow = self.current.flow
            assert flow is not None
            flow.switch()
            if self.current.done:
                self.current = self._next_life()
        self._raise_if_told(life)
        return ready is not None and ready()

    def _make_runnable(self, life: Life) -> None:
        if life.wake is not None:
            life.wake.cancel()
            life.wake = None
        if life in self._waiting:
            self._waiting.remove(life)
        if life not in self._runnable:
            self._runnable.append(life)

    def _next_life(self) -> Life:
        """Whose turn it is, once enough has happened that it is somebody's."""
        while not self._runnable:
            self.now_us, _, event = heappop(self._heap)
            if event.action is None:
                continue
            event.action(*event.arguments)
            for life in [one for one in self._waiting if one.ready and one.ready()]:
                self._make_runnable(life)
        return self._runnable.pop(0)


class NodeTime:
    """A node's `time` module (MicroPython's API) on the world's time.

    Ticks start at `ticks_ms` and wrap at 2**30. The real-time clock counts from `epoch_year`
    (2000 on ESP32 and others, 1970 elsewhere), starts at `rtc_s` of that epoch as an unset one
    does, and runs `drift_ppm` fast.
    """

    def __init__(
        self,
        world: World,
        ticks_ms: int = 0,
        epoch_year: int = 2000,
        rtc_s: float = 0,
        drift_ppm: int = 0,
    ) -> None:
        self.world = world
        self.epoch_s = _SECONDS_1970_TO_2000 if epoch_year == 2000 else 0
        self._drift_ppm = drift_ppm
        self._offset_us = ticks_ms * 1000 - world.now_us
        self._rtc_us = int(rtc_s * 1_000_000)
        self._rtc_at_us = world.now_us

    # -- the module ----------------------------------------------------------------------------

    def ticks_ms(self) -> int:
        return (self.world.now_us + self._offset_us) // 1000 & _TICKS_MASK

    def ticks_us(self) -> int:
        return (self.world.now_us + self._offset_us) & _TICKS_MASK

    def ticks_cpu(self) -> int:
        return self.ticks_us()

    def ticks_add(self, ticks: int, delta: int) -> int:
        if not -_TICKS_HALF < delta < _TICKS_HALF:
            raise OverflowError("ticks interval overflow")
        return (ticks + delta) & _TICKS_MASK

    def ticks_diff(self, end: int, start: int) -> int:
        return ((end - start + _TICKS_HALF) & _TICKS_MASK) - _TICKS_HALF

    def sleep_ms(self, duration_ms: int) -> None:
        if duration_ms > 0:
            world = self.world
            world.wait_until(world.now_us + duration_ms * 1000)

    def sleep_us(self, duration_us: int) -> None:
        if duration_us > 0:
            self.world.wait_until(self.world.now_us + duration_us)

    def sleep(self, duration_s: float) -> None:
        self.sleep_us(int(duration_s * 1_000_000))

    def time(self) -> int:
        return self._rtc_now_us() // 1_000_000

    def time_ns(self) -> int:
        return self._rtc_now_us() * 1000

    def gmtime(self, seconds: int | None = None) -> tuple:
        seconds = self.time() if seconds is None else seconds
        parts = host_time.gmtime(seconds + self.epoch_s)
        return tuple(parts[:8])

    localtime = gmtime

    def mktime(self, parts: tuple) -> int:
        return calendar.timegm(tuple(parts[:6])) - self.epoch_s

    # -- the board's side ----------------------------------------------------------------------

    def set_unix_s(self, unix_s: float) -> None:
        """Set the real-time clock, or make it jump."""
        self._rtc_us = int((unix_s - self.epoch_s) * 1_000_000)
        self._rtc_at_us = self.world.now_us

    def unix_s(self) -> float:
        """What the real-time clock says, as Unix seconds."""
        return self._rtc_now_us() / 1_000_000 + self.epoch_s

    def advance_ms(self, duration_ms: float) -> None:
        """Let the whole world's time pass, as `FakeTime` does for its own."""
        self.world.sleep_ms(duration_ms)

    def restart_ticks(self, ticks_ms: int = 0) -> None:
        """Ticks begin anew, as after every reset; the real-time clock runs on."""
        self._offset_us = ticks_ms * 1000 - self.world.now_us

    def _rtc_now_us(self) -> int:
        elapsed_us = self.world.now_us - self._rtc_at_us
        return self._rtc_us + elapsed_us + elapsed_us * self._drift_ppm // 1_000_000
