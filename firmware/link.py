"""The reconnect logic: station, session, backoff. The only place that decides when to try again.

Retries follow full jitter (Brooker, 'Exponential backoff and jitter'): a random delay from 0 to a
limit that doubles, so that a greenhouse of nodes does not return to its broker in one instant.
While nothing answers, the means grow: try again, join again, power-cycle the radio, restart the
board. An answer of any kind, even a refusal, proves the radio: then only the first is used.
"""

import gc

from micropython import const

from firmware.session import Refused
from firmware.station import JoinFailed

_JOIN_POLL_MS = const(20)
_JOIN_POLL_MAX_MS = const(500)
_WAIT_MS = const(500)
_ENETDOWN = const(100)
_ECONNRESET = const(104)
_ECONNREFUSED = const(111)
_ECONNREFUSED_LWIP = const(61)
# Failures of the session in a row after which the address itself is doubted.
_REJOIN_AFTER = const(3)
# Sessions in a row that the broker ended before they were stable, after which it is no accident.
_CUT_SHORT_MAX = const(3)
_CUT_SHORT = "broker ends each session soon: does another client have this id?"
# Neither a wrong password nor a refusal gets better in a second.
_SLOW_MS = const(30000)
_EXPONENT_MAX = const(20)
_CAUSES_MAX = const(16)

_WORDS = {
    -202: "no memory for a socket",  # ESP32's EAI_FAIL, also when descriptors ran out
    -2: "name of the broker not found",
    12: "no memory for a socket",
    23: "too many open sockets",
    71: "broker does not speak MQTT 3.1.1",
    100: "Wi-Fi lost",
    104: "connection reset",
    107: "broker not available",
    110: "broker does not answer",
    113: "broker not reachable",
}


class Link:
    """Steps from no radio to an open session and back, as often as it takes.

    retry: `base_s, cap_s, stable_s, radio_s, reset_s` (firmware/config.py). random_u32() -> int.
    ride(): publishes what travels with CONNECT. work(): called at each step while up; may raise
    OSError. on_down(): a session ended or could not be had. restart(): the last means;
    may_restart() -> whether it would cost no reading.
    """

    def __init__(self, station, session, clock, retry, random_u32, log):
        self.station = station
        self.session = session
        self._clock = clock
        self._log = log
        self._random_u32 = random_u32
        self._base_ms = int(retry["base_s"] * 1000)
        self._cap_ms = int(retry["cap_s"] * 1000)
        self._stable_ms = int(retry["stable_s"] * 1000)
        self._radio_ms = int(retry["radio_s"] * 1000)
        self._reset_ms = int(retry["reset_s"] * 1000)
        self.security = None  # firmware/tls.py, if it is used
        self.ride = self.work = self.on_up = self.on_down = self.restart = None
        self.may_restart = lambda: True
        self.is_up = False
        self.failure = None  # why it is down, in words
        self.hold = False  # join, but do not open a session yet
        self.reconnects = 0
        self.failures = 0
        self.refused = False  # the last failure was the broker's own word
        self.causes = {}  # how often each failure happened
        self._wanted = False  # the station was started
        self._join_ms = 0
        self._attempt = 0
        self._failed_sessions = 0
        self._cut_short = 0
        self._retry_at_ms = 0
        self._up_since_ms = 0
        # The radio's last sign of life, and the last escalation.
        self._proof_ms = self._cycled_ms = clock.uptime_ms()

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        now_ms = self._clock.uptime_ms()
        if self.is_up:
            return self._keep(now_ms)
        if now_ms < self._retry_at_ms:
            return self._retry_at_ms - now_ms
        try:
            if not self._wanted:
                self.station.start()
                self._wanted = True
                self._join_ms = now_ms
            if not self.station.step():
                # Noticed a tenth of its time late at most: a long join need no closer watch.
                taken_ms = now_ms - self._join_ms
                return min(max(taken_ms // 10, _JOIN_POLL_MS), _JOIN_POLL_MAX_MS)
            if self.hold:
                return _JOIN_POLL_MS
            reason = self.security.waits() if self.security else None
            if reason:
                return self._wait(reason, now_ms)
            self._open()
        except JoinFailed as failure:
            self._wanted = False
            self._failed(str(failure), slow=str(failure) == "wrong password")
        except Refused as refusal:
            self._proof_ms = self._clock.uptime_ms()
            self._failed(str(refusal), slow=True, refused=True)
        except (OSError, MemoryError) as error:
            self._session_failed(error)
        return max(self._retry_at_ms - self._clock.uptime_ms(), 0)

    def close(self):
        """End the session in order, and leave the network."""
        if self.is_up:
            self.is_up = False
            self.session.close()
        self.station.leave()
        self._wanted = False

    # Inside ----------------------------------------------------------------------------------

    def _open(self):
        self.session.open(self.ride)
        self.is_up = True
        self.failure = None
        self._failed_sessions = 0
        self._up_since_ms = self._proof_ms = self._clock.uptime_ms()
        if self.on_up:
            self.on_up()

    def _keep(self, now_ms):
        try:
            if not self.station.is_up():
                raise OSError(_ENETDOWN)
            self.session.poll()
            due_ms = self.work()
            self.session.flush()
        except (OSError, MemoryError) as error:
            self._down()
            self._cut_short += 1
            self._session_failed(error)
            return max(self._retry_at_ms - now_ms, 0)
        if now_ms - self._up_since_ms >= self._stable_ms:
            self._attempt = self._cut_short = 0
        self._proof_ms = now_ms
        return min(due_ms, self.session.due_ms())

    def _down(self):
        self.is_up = False
        self.reconnects += 1
        self.session.abandon()

    def _wait(self, reason, now_ms):
        """No session yet, for a reason that is told once."""
        if reason != self.failure:
            self.failure = reason
            self._log("link: " + reason)
            if self.on_down:
                self.on_down()
        self._escalate(now_ms)
        return _WAIT_MS

    def _session_failed(self, error):
        self.session.abandon()
        why, final = (self.security and self.security.explain(error)) or (None, False)
        if final:
            self._proof_ms = self._clock.uptime_ms()
            self._failed(why, slow=True, refused=True)
            return
        if isinstance(error, MemoryError):
            gc.collect()
            self._failed(why or "out of memory")
            return
        code = error.args[0]
        if code in (_ECONNREFUSED, _ECONNREFUSED_LWIP):
            self._proof_ms = self._clock.uptime_ms()
            self._failed("broker refuses connections")
            return
        if code == _ECONNRESET:
            # RP2 says this of a refused connection, too. Whoever resets is there.
            self._proof_ms = self._clock.uptime_ms()
            if self._cut_short >= _CUT_SHORT_MAX:
                self._failed(_CUT_SHORT)
                return
        self._failed_sessions += 1
        if self._failed_sessions % _REJOIN_AFTER == 0 or code == _ENETDOWN:
            # The station may believe in an access point that is gone.
            self.station.leave()
            self._wanted = False
        self._failed(why or _WORDS.get(code, "connection lost (%s)" % code))

    def _failed(self, why, slow=False, refused=False):
        now_ms = self._clock.uptime_ms()
        self.failure = why
        self.refused = refused
        self.failures += 1
        if why in self.causes or len(self.causes) < _CAUSES_MAX:
            self.causes[why] = self.causes.get(why, 0) + 1
        limit_ms = self._base_ms << min(self._attempt, _EXPONENT_MAX)
        limit_ms = min(limit_ms, self._cap_ms)
        self._attempt += 1
        delay_ms = self._random_u32() % (limit_ms + 1)
        if slow:
            delay_ms = max(delay_ms, min(_SLOW_MS, self._cap_ms))
        self._retry_at_ms = now_ms + delay_ms
        self._log("link: %s; next try in %.1f s" % (why, delay_ms / 1000))
        if self.on_down:
            self.on_down()
        self._escalate(now_ms)

    def _escalate(self, now_ms):
        silent_ms = now_ms - self._proof_ms
        if silent_ms >= self._reset_ms and self.restart and self.may_restart():
            self._log("link: nothing for %d min, restarting" % (silent_ms // 60000))
            self.restart()
        elif silent_ms >= self._radio_ms and now_ms - self._cycled_ms >= self._radio_ms:
            self._cycled_ms = now_ms
            self._wanted = False
            self._log("link: nothing for %d min, radio off and on" % (silent_ms // 60000))
            self.station.power_cycle()
