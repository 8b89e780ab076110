"""When a node that sleeps samples, delivers and wakes: arithmetic on times, and nothing else.

Readings are due at the points of a grid, one interval apart. All times are milliseconds of one
clock, which may be set while the node runs. An *extra* wake is one for an input that has changed:
it takes a reading, and belongs to no point of the grid.
"""

from micropython import const

# By a clock of whole seconds a wake may seem early: then it is still this wake's point of the
# grid, and not one more before it.
_CLOCK_STEP_MS = const(1500)
# So many failed deliveries in a row are an outage, which others have seen as well.
_TOGETHER = const(2)
# Failed deliveries after which the wait before the next try no longer doubles.
_DOUBLINGS_MAX = const(10)


def grid_of(settings, next_ms, retry_at_ms, failed, lead, gather):
    """The grid of these settings. gather: `deliver_every`; the others as for `Grid`."""
    retry_max_ms = int(settings["retry"]["cap_s"] * 1000)
    return Grid(
        settings["sample_s"] * 1000,
        gather,
        retry_max_ms,
        next_ms,
        retry_at_ms,
        failed,
        lead,
    )


class Grid:
    """The points at which readings are due, and the tries at delivering them.

    sample_ms: the interval that is configured. deliver_every: readings that a delivery waits for.
    retry_max_ms: bound of the wait after failed deliveries. next_ms: the point that this wake is
    for. retry_at_ms: no delivery before it, or 0. failed: deliveries in a row that failed. lead:
    readings that the present batch goes without, so that the fleet's batches lie apart.
    """

    def __init__(
        self, sample_ms, deliver_every, retry_max_ms, next_ms, retry_at_ms=0, failed=0, lead=0
    ):
        self.sample_ms = sample_ms
        self.deliver_every = deliver_every
        self._retry_max_ms = retry_max_ms
        self.next_ms = next_ms
        self.retry_at_ms = retry_at_ms
        self.failed = failed
        self.lead = lead
        self.is_extra = False
        self._stretch = 1
        self._by_command = False

    def begin(self, is_extra, stretch):
        """A wake begins, for which the interval is `stretch` times the configured one."""
        self.is_extra = is_extra
        self._stretch = stretch

    def interval_ms(self):
        """The interval in force."""
        return self.sample_ms * self._stretch

    def reading_due_ms(self, count):
        """When the `count`-th reading of the grid after this wake's is due."""
        # An extra wake comes before the point that `next_ms` names, and any other is for it.
        return self.next_ms + self.interval_ms() * (count - self.is_extra)

    def is_complete(self, waiting):
        """Whether a batch is complete with the reading of this wake. waiting: those before it."""
        return waiting + 1 + self.lead >= self.deliver_every

    def delivers_next(self, waiting):
        """Whether the next wake is to deliver. waiting: readings that it finds. After `end`."""
        return self.is_complete(waiting) and self.may_try(self.next_ms)

    def may_try(self, now_ms):
        """Whether failed deliveries leave this wake free to try."""
        # Further ahead than any such wait: somebody has set the clock back.
        return not 0 < self.retry_at_ms - now_ms <= self._retry_max_ms

    def try_at_once(self):
        """The next wake may try, whatever failed before."""
        self.retry_at_ms = 0

    def next_lead(self, phase, is_first):
        """`lead` of the batch that begins with this wake's delivery. phase: of the node, its low
        bits. is_first: of the boot.

        A fleet that was switched on together, or was cut off together, delivers together once.
        """
        return phase % self.deliver_every if is_first or self.failed >= _TOGETHER else 0

    def delivered(self, lead=0):
        """All that waited has arrived. lead: what `next_lead` gave."""
        self.lead = lead
        self.retry_at_ms = self.failed = 0

    def not_delivered(self, now_ms):
        """A wake has tried in vain: the next try waits, twice as long after each failure."""
        self.failed += 1
        wait_ms = self.sample_ms << min(self.failed - 1, _DOUBLINGS_MAX)
        self.retry_at_ms = now_ms + min(wait_ms, self._retry_max_ms)

    def sample_now(self, now_ms):
        """A reading is asked for: the next wake is due when this one ends, and the grid goes on
        from there."""
        self.next_ms = now_ms - self.interval_ms()
        self._by_command = True

    def clock_stepped(self, step_ms):
        """The clock was set, and so moved by `step_ms`: what was planned on it moves along."""
        self.next_ms += step_ms
        if self.retry_at_ms:
            self.retry_at_ms += step_ms

    def end(self, now_ms):
        """This wake ends; milliseconds until the next, at least 1."""
        interval_ms = self.interval_ms()
        if self._by_command or not self.is_extra:
            self.next_ms += interval_ms
        early_ms = max(interval_ms // 2, _CLOCK_STEP_MS)
        # A reading that came due during an extra wake, or was asked for, is taken late rather
        # than not at all.
        late_ms = interval_ms if self.is_extra or self._by_command else 0
        self._by_command = False
        if not -late_ms < self.next_ms - now_ms <= interval_ms + early_ms:
            # Late by more than an interval, or the clock was set: go on at the grid's next point.
            self.next_ms = now_ms + interval_ms - (now_ms - self.next_ms) % interval_ms
        return max(self.next_ms - now_ms, 1)
