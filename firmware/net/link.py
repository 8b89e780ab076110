"""The link: station and session, from no radio to an open session and back, as often as it takes.

The only place that decides when to try again; what it takes after a failure is in
firmware/net/recovery.py.
"""

import gc

from micropython import const

from firmware.net.mqtt_session import Refused
from firmware.net.wifi import JoinFailed

_JOIN_POLL_MS = const(20)
_JOIN_POLL_MAX_MS = const(500)
_ENETDOWN = const(100)


class Link:
    """Steps from no radio to an open session.

    retry: `base_s, cap_s, stable_s, radio_s, reset_s` (firmware/config/check.py).
    random_u32() -> int. security: firmware/net/tls.py, or None.
    """

    def __init__(self, station, session, clock, retry, random_u32, log, security=None):
        self.station = station
        self.session = session
        self.log = log
        self.clock = clock
        self._retry = retry
        self._random_u32 = random_u32
        self._stable_ms = int(retry["stable_s"] * 1000)
        self._recovery = None
        self.security = security
        self.pace = None  # firmware/remote/pace.py, set by the owner
        self.is_up = False
        self.failure = None  # why it is down, in words
        self.hold = False  # join, but do not open a session yet
        self.reconnects = 0
        self.failures = 0
        self.refused = False  # the last failure was the broker's refusal
        self.causes = {}  # how often each failure happened
        self._wanted = False  # the station was started
        self._join_ms = 0
        self._retry_at_ms = 0
        self.since_ms = 0  # of the last session
        self.proof_ms = clock.uptime_ms()  # the radio's last sign of life

    def step(self, user):
        """One bounded piece of work; milliseconds until the next is due.

        user: whose link it is. connect(): publishes what leaves with CONNECT. opened(): a session
        is open. work() -> milliseconds until it has more to do: called at each step while up; may
        raise OSError. closed(): a session ended or could not be had. may_restart() -> whether a
        restart would cost no reading. restart(): the last means.
        """
        now_ms = self.clock.uptime_ms()
        if not self.is_up and now_ms < self._retry_at_ms:
            return self._retry_at_ms - now_ms
        try:
            return self._keep(user, now_ms) if self.is_up else self._rise(user, now_ms)
        except (JoinFailed, Refused, OSError, MemoryError) as error:
            was_up, self.is_up = self.is_up, False
            if was_up:
                self.reconnects += 1
            elif isinstance(error, JoinFailed):
                self._wanted = False
            # A look-up or a handshake may have taken its time.
            now_ms = self.clock.uptime_ms()
            self._retry_at_ms = now_ms + self._recover().failed(user, error, now_ms, was_up)
            return max(self._retry_at_ms - self.clock.uptime_ms(), 0)

    def rejoin(self, off=False):
        """Leave the network, and join it at the next step. off: with the radio switched off."""
        self._wanted = False
        if off:
            self.station.power_cycle()
        else:
            self.station.leave()

    def close(self):
        """End the session in order, and leave the network."""
        if self.is_up:
            self.is_up = False
            self.session.close()
        self.rejoin()

    # Inside ----------------------------------------------------------------------------------

    def _rise(self, user, now_ms):
        if not self._wanted:
            self.station.start()
            self._wanted = True
            self._join_ms = now_ms
        if not self.station.step():
            # So a join is noticed late by a tenth of its time at most.
            return min(max((now_ms - self._join_ms) // 10, _JOIN_POLL_MS), _JOIN_POLL_MAX_MS)
        if self.hold:
            return _JOIN_POLL_MS
        reason = self.security.waits() if self.security else None
        if reason:
            return self._recover().wait(user, reason, now_ms)
        self.session.open(user.connect)
        self.is_up = True
        self.failure = None
        if self._recovery:
            self._recovery.opened()
        self.since_ms = self.proof_ms = self.clock.uptime_ms()
        user.opened()
        return 0

    def _keep(self, user, now_ms):
        if not self.station.is_up():
            raise OSError(_ENETDOWN)
        self.session.poll()
        due_ms = user.work()
        self.session.flush()
        if self._recovery and now_ms - self.since_ms >= self._stable_ms:
            self._recovery.settled()
        self.proof_ms = now_ms
        return min(due_ms, self.session.due_ms())

    def _recover(self):
        if not self._recovery:
            gc.collect()  # It may have failed for want of memory.
            from firmware.net.recovery import Recovery

            self._recovery = Recovery(self, self._retry, self._random_u32)
        return self._recovery
