"""Safe mode: after starts that came to nothing the node only connects, and listens for help.

It stands where the sampler stands: no sensor is touched and no schedule runs, so that whatever in
them keeps the node from starting cannot, and the link, the commands and the console remain.
"""

from micropython import const

_LEAVE_MS = const(3600000)


class NoSampler:
    """A sampler that takes nothing; after an hour it has `restart()` leave safe mode.

    identity: firmware/readings/boot_count.py, which counts the starts that failed.
    """

    taken = late = 0
    errors = {}
    fields = ()

    def __init__(self, clock, identity, restart, log):
        log("safe mode: %d starts came to nothing" % identity.failed_starts)
        self._clock = clock
        self._identity = identity
        self._restart = restart
        self._until_ms = clock.uptime_ms() + _LEAVE_MS

    def set_interval(self, interval_ms):
        """Nothing is sampled here."""

    def now(self):
        """Nothing is sampled here."""

    def step(self):
        """Milliseconds until safe mode ends by itself."""
        left_ms = self._until_ms - self._clock.uptime_ms()
        if left_ms <= 0:
            self._identity.proven()
            self._restart()
        return max(left_ms, 0)
