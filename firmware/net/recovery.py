"""What to do about a failure: its name for people, when to try again, and by which means.

Loaded with the first failure. Retries follow full jitter (Brooker, 'Exponential backoff and
jitter'): a random delay from 0 to a limit that doubles, so that a greenhouse of nodes does not
return to its broker in one instant.

That alone has a fleet whose broker restarts come back within the first second. So the first limit
is wider after a session that has lasted: a sixtieth of that time, half a minute at most. A fleet
then dials at a rate that is bounded from the first second on. Whoever works on a node has it back
at once, for its sessions are short.

While nothing answers, the means grow: try again, join again, power-cycle the radio, restart the
board. An answer of any kind, even a refusal, proves the radio: then only the first is used.
"""

import gc

from micropython import const

from firmware.net.mqtt_session import Refused
from firmware.net.wifi import JoinFailed

_ENETDOWN = const(100)
_EPIPE = const(32)
_ECONNRESET = const(104)
_ECONNREFUSED = const(111)
_ECONNREFUSED_LWIP = const(61)
# Failures of the session in a row after which the address itself is doubted.
_REJOIN_AFTER = const(3)
_EARLY = "early packets were not all answered: trying once without them"
# Its reset may have taken a refusal along; or it takes no, or not so many, early packets. The next
# try tells which.
_EARLY_CLOSED = "broker closed before CONNACK: trying without early packets, which can hide why"
# Neither a wrong password nor a refusal gets better in a second.
_SLOW_MS = const(30000)
# After a session that ended: what part of its time the next try may wait, and at most how many
# times `base_s`.
_PART = const(60)
_BASES_MAX = const(30)
_EXPONENT_MAX = const(20)
_CAUSES_MAX = const(16)
_WAIT_MS = const(500)

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


class Recovery:
    """Takes the failures of a `Link`, and decides on the next try. user: see `Link.step`.

    retry, random_u32: as for the link. now_ms: uptime.
    """

    def __init__(self, link, retry, random_u32):
        self._link = link
        self._random_u32 = random_u32
        self._base_ms = int(retry["base_s"] * 1000)
        self._cap_ms = int(retry["cap_s"] * 1000)
        self._spread_max_ms = min(self._base_ms * _BASES_MAX, self._cap_ms)
        self._radio_ms = int(retry["radio_s"] * 1000)
        self._reset_ms = int(retry["reset_s"] * 1000)
        self._attempt = 0
        self._spread_ms = 0  # the least limit of a delay
        self._failed_sessions = 0
        self._cycled_ms = link.proof_ms  # the last time that the radio was off and on

    def opened(self):
        """There is a session."""
        self._failed_sessions = 0

    def settled(self):
        """It has been stable for long enough."""
        self._attempt = self._spread_ms = 0
        if self._link.session.careful:
            self._link.session.careful.settled()

    def failed(self, user, error, now_ms, was_up):
        """The link failed with an exception. was_up: it had a session; milliseconds to wait."""
        link = self._link
        if isinstance(error, JoinFailed):
            why = str(error)
            return self._again(user, why, now_ms, slow=why == "wrong password")
        if isinstance(error, Refused):
            link.proof_ms = now_ms
            return self._again(user, str(error), now_ms, slow=True, refused=True)
        session = link.session
        session.abandon()
        why, final = (link.security and link.security.explain(error, session.wire)) or (
            None,
            False,
        )
        if why and final is None:
            return self._at_once(user, why)
        if final:
            link.proof_ms = now_ms
            return self._again(user, why, now_ms, slow=True, refused=True)
        if isinstance(error, MemoryError):
            gc.collect()
            return self._again(user, why or "out of memory", now_ms)
        code = error.args[0]
        if code == _EPIPE:
            code = _ECONNRESET  # Which of the two it is depends on who writes first.
        if was_up and code != _ENETDOWN:
            # Its other clients may have lost their sessions in the same moment.
            lasted_ms = now_ms - link.since_ms
            self._spread_ms = max(self._spread_ms, min(lasted_ms // _PART, self._spread_max_ms))
        if code in (_ECONNREFUSED, _ECONNREFUSED_LWIP):
            link.proof_ms = now_ms
            return self._again(user, "broker refuses connections", now_ms)
        early = session.early_in_vain
        ended = None
        # Through TLS what is closed on CONNECT looks as if it were closed in the handshake.
        if code == _ECONNRESET or (not why and code != _ENETDOWN and (was_up or early)):
            careful = session.careful
            if not careful:
                from firmware.net.mqtt_careful import Careful

                careful = session.careful = Careful(session, link.clock.uptime_ms, link.log)
            ended = careful.ended(code, was_up, early)
            if careful.decided:
                self._attempt = 0
        if early and code != _ENETDOWN:
            # A sleeper has this wake only. The next connection has none, so this comes once.
            session.early_state()
            if not why and getattr(session.wire, "handshaking", False):
                why = _WORDS.get(code)  # They may never have left.
            elif not why:
                why = _EARLY if was_up or code != _ECONNRESET else _EARLY_CLOSED
            return self._at_once(user, why or _EARLY)
        if code == _ECONNRESET:
            # RP2 says this of a refused connection, too. A peer that resets is there.
            link.proof_ms = now_ms
            if ended:
                stuck = session.careful.is_stuck
                return self._again(user, ended, now_ms, stuck, stuck)
        self._failed_sessions += 1
        if self._failed_sessions % _REJOIN_AFTER == 0 or code == _ENETDOWN:
            # The station may believe in an access point that is gone.
            link.rejoin()
        why = why or ended or _WORDS.get(code, "connection lost (%s)" % code)
        return self._again(user, why, now_ms)

    def _at_once(self, user, why):
        """Not counted as a failure, with which a sleeper's wake would end."""
        self._link.log("link: " + why)
        user.closed()
        return 0

    def wait(self, user, reason, now_ms):
        """No session yet, for a reason that is told once; milliseconds to wait."""
        link = self._link
        if reason != link.failure:
            link.failure = reason
            link.log("link: " + reason)
            user.closed()
        self._escalate(user, now_ms)
        return _WAIT_MS

    def _escalate(self, user, now_ms):
        """Use a stronger means if nothing has answered for long."""
        link = self._link
        silent_ms = now_ms - link.proof_ms
        if silent_ms >= self._reset_ms and user.may_restart():
            link.log("link: nothing for %d min, restarting" % (silent_ms // 60000))
            user.restart()
        elif silent_ms >= self._radio_ms and now_ms - self._cycled_ms >= self._radio_ms:
            self._cycled_ms = now_ms
            link.log("link: nothing for %d min, radio off and on" % (silent_ms // 60000))
            link.rejoin(True)

    def _again(self, user, why, now_ms, slow=False, refused=False):
        link = self._link
        link.failure = why
        link.refused = refused
        link.failures += 1
        causes = link.causes
        if why in causes or len(causes) < _CAUSES_MAX:
            causes[why] = causes.get(why, 0) + 1
        attempt = self._attempt
        # From the second try on twice the spread: so many come back in a second as at first.
        limit_ms = max(
            self._base_ms << min(attempt, _EXPONENT_MAX), self._spread_ms << (attempt > 0)
        )
        limit_ms = min(limit_ms, self._cap_ms)
        if link.pace:
            limit_ms = link.pace.limit_ms(limit_ms)
        self._attempt += 1
        least_ms = 0
        if slow:
            # Who was refused together does not come back together either.
            least_ms = min(_SLOW_MS, self._cap_ms)
            limit_ms = max(limit_ms, min(2 * least_ms, self._cap_ms))
        delay_ms = least_ms + self._random_u32() % (limit_ms - least_ms + 1)
        link.log("link: %s; next try in %.1f s" % (why, delay_ms / 1000))
        user.closed()
        self._escalate(user, now_ms)
        return delay_ms
