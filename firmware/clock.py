"""The node's two clocks: time since start, which only grows, and Unix time, once somebody set it.

Ticks wrap (after 2**30 ms, 12.4 days, on the boards), so they serve for deadlines only. Uptime is
added up from them. Unix time is the board's real-time clock: whoever learns the time sets that
first, then says so here.
"""

from micropython import const

# Unix time of 2000-01-01, where ESP32's time() starts counting.
_EPOCH_2000_S = const(946684800)


class Clock:
    """Ticks, uptime and Unix time over a port's `time` object.

    `is_set` says whether the real-time clock can be believed already, as it can after deep sleep
    on an ESP32. `uptime_ms` is where uptime goes on from, for a node that counts over deep sleep.
    """

    def __init__(self, port_time, is_set=False, uptime_ms=0):
        self._time = port_time
        self.ticks_ms = port_time.ticks_ms
        self.ticks_add = port_time.ticks_add
        self.ticks_diff = port_time.ticks_diff
        self.sleep_ms = port_time.sleep_ms
        self._epoch_s = _EPOCH_2000_S if port_time.gmtime(0)[0] == 2000 else 0
        self._is_set = bool(is_set)
        self._last_ticks = port_time.ticks_ms()
        self._uptime_ms = uptime_ms

    def uptime_ms(self):
        """Milliseconds since this object was made (and `uptime_ms`); never wraps, never steps.

        Ask at least every six days: past half of the ticks' period a difference changes its sign.
        """
        now = self.ticks_ms()
        self._uptime_ms += self.ticks_diff(now, self._last_ticks)
        self._last_ticks = now
        return self._uptime_ms

    def rtc_ms(self):
        """Milliseconds of the real-time clock, set or not: goes on over deep sleep, and steps."""
        port = self._time
        return port.time_ns() // 1000000 if hasattr(port, "time_ns") else int(port.time()) * 1000

    def unix_s(self):
        """Whole seconds since 1970-01-01 UTC, or None while nobody has set the clock."""
        if not self._is_set:
            return None
        return int(self._time.time()) + self._epoch_s

    def set_unix_s(self, unix_s):
        """Notes that the real-time clock was set to `unix_s`; setting it is the caller's part."""
        self._is_set = unix_s is not None
