"""Keeps Unix time: asks an NTP server now and then, and never makes anything wait for it."""

from micropython import const

# The longest that a name look-up takes with all its retries; no port lets one be bounded.
_LOOK_UP_MS = const(30000)
_RETRY_MIN_MS = const(15000)
_RETRY_MAX_MS = const(900000)
# A server that is well-formed and wrong: no time before this firmware's own year, 2026, can be
# right, nor one after 2099.
_UNIX_MIN_S = const(1767225600)
_UNIX_MAX_S = const(4102444800)


class Timekeeper:
    """Steps a client while the network is up, and sets `board` and `clock`.

    make_sntp(): the client (lib/sntp.py), made when there is a first question.
    host: name or address, or None for no NTP at all. interval_s: between two settings.
    `due_ms`: uptime at which to ask next. `retry_ms`: how long after one more failure, doubled
    each time up to `retry_max_ms`. `stepped_ms`: by how much the real-time clock
    was moved, added up until somebody sets it to 0.
    """

    def __init__(self, make_sntp, clock, board, host, interval_s, log):
        self._make_sntp = make_sntp
        self._sntp = None
        self._clock = clock
        self._board = board
        self._host = host
        self._interval_ms = interval_s * 1000
        self._log = log
        self._asking = False
        self.retry_ms = _RETRY_MIN_MS
        self.retry_max_ms = _RETRY_MAX_MS
        self.due_ms = 0
        self.stepped_ms = 0

    def is_asking(self):
        """Whether an answer is awaited, or the question is due."""
        return self._host is not None and self._clock.uptime_ms() >= self.due_ms

    def step(self):
        """Ask, or look for the answer; milliseconds until there is more to do."""
        now_ms = self._clock.uptime_ms()
        if self._host is None:
            return self._interval_ms
        if now_ms < self.due_ms:
            return self.due_ms - now_ms
        try:
            if not self._asking:
                self._asking = True
                self._sntp = self._sntp or self._make_sntp()
                self._board.hold_watchdog(_LOOK_UP_MS)
                try:
                    self._sntp.start(self._host)
                finally:
                    self._board.hold_watchdog(0)
            unix_s = self._sntp.poll()
        except OSError as error:
            return self._failed(error)
        if unix_s is None:
            return 100
        if not _UNIX_MIN_S <= unix_s < _UNIX_MAX_S:
            return self._failed("wrong: %d" % unix_s)
        self._asking = False
        before_ms = self._clock.rtc_ms()
        self._board.set_unix_s(unix_s)
        self._clock.set_unix_s(unix_s)
        self.stepped_ms += self._clock.rtc_ms() - before_ms
        self._log("time: set by %s" % self._host)
        self.retry_ms = _RETRY_MIN_MS
        self.due_ms = now_ms + self._interval_ms
        return self._interval_ms

    def give_up(self):
        """The radio goes off: a question still open counts as one that had no answer."""
        if self._asking:
            self._sntp.close()
            self._failed("in time")

    def _failed(self, why):
        self._asking = False
        self._log("time: no answer from %s (%s)" % (self._host, why))
        wait_ms = self.retry_ms
        self.due_ms = self._clock.uptime_ms() + wait_ms
        self.retry_ms = min(wait_ms * 2, self.retry_max_ms)
        return wait_ms
