"""A port's `time` object that moves only when told to, so that months pass in seconds.

Like the real ones: ticks wrap at 2**30 whatever they started at, and `time()` steps when the clock
is set while ticks do not.
"""

from __future__ import annotations

import time as _time

TICKS_PERIOD = 1 << 30
EPOCH_2000_S = 946_684_800


class FakeTime:
    """`start_ticks_ms` near 2**30 tests the wrap; `epoch_year`: 2000 ESP32, 1970 RP2, unix."""

    def __init__(
        self, start_ticks_ms: int = 0, start_unix_s: float = EPOCH_2000_S, epoch_year: int = 1970
    ) -> None:
        if epoch_year not in (1970, 2000):
            raise ValueError("epoch_year is 1970 or 2000")
        self._epoch_s = EPOCH_2000_S if epoch_year == 2000 else 0
        self._start_ticks_ms = start_ticks_ms
        self._elapsed_us = 0
        self._unix_at_start_s = start_unix_s
        self.slept_ms: int = 0

    @property
    def elapsed_ms(self) -> int:
        """True milliseconds since the start: what no board can see, for a test's own use."""
        return self._elapsed_us // 1000

    def advance_ms(self, duration_ms: float) -> None:
        if duration_ms < 0:
            raise ValueError("time does not run backwards; use set_unix_s to step the clock")
        self._elapsed_us += round(duration_ms * 1000)

    def set_unix_s(self, unix_s: float) -> None:
        """Steps the wall clock, as NTP does, either way; ticks stay."""
        self._unix_at_start_s = unix_s - self._elapsed_us / 1_000_000

    def unix_s(self) -> float:
        return self._unix_at_start_s + self._elapsed_us / 1_000_000

    # What MicroPython's `time` offers.
    def ticks_ms(self) -> int:
        return (self._start_ticks_ms + self.elapsed_ms) % TICKS_PERIOD

    def ticks_us(self) -> int:
        return (self._start_ticks_ms * 1000 + self._elapsed_us) % TICKS_PERIOD

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        if abs(delta) >= TICKS_PERIOD // 2:
            raise OverflowError("ticks interval overflow")
        return (ticks + delta) % TICKS_PERIOD

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> int:
        half = TICKS_PERIOD // 2
        return (later - earlier + half) % TICKS_PERIOD - half

    def sleep_ms(self, duration_ms: int) -> None:
        if duration_ms > 0:
            self.slept_ms += duration_ms
            self.advance_ms(duration_ms)

    def sleep_us(self, duration_us: int) -> None:
        if duration_us > 0:
            self.advance_ms(duration_us / 1000)

    def sleep(self, duration_s: float) -> None:
        self.sleep_ms(round(duration_s * 1000))

    def time(self) -> int:
        return int(self.unix_s() - self._epoch_s)

    def time_ns(self) -> int:
        return int((self.unix_s() - self._epoch_s) * 1_000_000_000)

    def gmtime(self, seconds: float | None = None) -> tuple[int, ...]:
        """MicroPython's eight fields: year, month, day, h, min, s, weekday, day of the year."""
        since_epoch = self.time() if seconds is None else seconds
        return tuple(_time.gmtime(since_epoch + self._epoch_s)[:8])

    localtime = gmtime
