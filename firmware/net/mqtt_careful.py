"""After a connection that ended: which packet does the broker close on? Loaded with the first one.

A broker may close on whatever it does not take: a SUBSCRIBE without permission, a message that is
too large or retained, a will. So the next connection has the readings first, then each *extra*
(any other message, or subscription) alone, with a ping behind it unless it has an answer of its
own. An end then names its cause. An extra at which `_ENDS_MAX` connections in a row ended is left
out, and tried again after a quarter of an hour, then after twice as long each time up to a day,
and at the next start: a broker whose fellow has just died may close on what it soon takes again.
"""

from micropython import const

from firmware.net.mqtt_refusals import refuse, take

_ENDS_MAX = const(3)
# A broker that is only starting closes before CONNACK, too: not all of that is the will's fault.
_CONNECTS_MAX = const(5)
_AGAIN_FIRST_MS = const(900000)
_AGAIN_MOST_MS = const(86400000)
_HELD_MAX = const(16)
# A message of so many bytes at most is kept, to be tried again by itself.
_KEPT_BYTES = const(256)
# Where readings are always under way, extras wait for a pause no longer than that.
_PATIENCE_MS = const(30000)
_RETAIN_OR_SUBSCRIBE = const(0x81)
_QOS1 = const(0x02)
_ECONNRESET = const(104)
_ETIMEDOUT = const(110)
# Names of what is no topic.
_READINGS = ""
_WILL = "the will"


class Careful:
    """Of one `session`. uptime_ms(): time that goes on over a deep sleep. log: of the link.
    state: what `keep` gave before the sleep.

    `held`: messages (flags, topic, body) that wait until it is their turn. `decided`: the last
    end was one too many for something, which is left out from now on. `is_stuck`: the broker
    closes on readings.
    """

    def __init__(self, session, uptime_ms, log, state=None):
        self._session = session
        self._uptime_ms = uptime_ms
        self._log = log
        state = state or {}
        self._ends = state.get("ends", {})  # topic -> connections in a row that ended at it
        self._left_out = state.get("left_out", {})  # topic -> uptime at which it is tried again
        self._waits = state.get("waits", {})  # topic -> for how many ms it was left out at last
        self._one_by_one = state.get("one_by_one", True)
        self._will = session.lw_topic
        self._again = {}  # topic -> its message
        self.held = []
        self._trying = None
        self._tried_ms = 0  # ticks: when that was sent, or a connection was begun
        self._waited_ms = 0  # for its answer, so far
        self._opening_ms = 0
        self._has_ended = True
        self._opened_ms = None  # ticks
        # Packet id of the oldest reading when the connection before ended.
        self._oldest = state.get("oldest", 0)
        self._sent_bytes = session.wire.sent_bytes
        self._idle_ends = 0
        self.decided = self.is_stuck = False

    def keep(self):
        """What a deep sleep has to keep, for JSON: None if there is no more need to be careful."""
        self._closed()
        if self._session.careful is None:
            return None
        return {
            "ends": self._ends,
            "left_out": self._left_out,
            "waits": self._waits,
            "one_by_one": self._one_by_one,
            "oldest": self._oldest,
        }

    # What the session asks for ---------------------------------------------------------------

    def restart(self):
        """A new connection begins."""
        self._closed()
        self._trying = None
        self._tried_ms = self._session.wire.now_ms()
        self._has_ended = False
        self.held.clear()
        self._opened_ms = None
        if self._is_due(_WILL):
            del self._left_out[_WILL]
            self._ends[_WILL] = _CONNECTS_MAX - 1
        leaves_will = _WILL in self._left_out or self._ends.get(_WILL, 0) >= _CONNECTS_MAX
        self._session.lw_topic = None if leaves_will else self._will

    def holds(self, flags, topic, body):
        """Whether a message is not to be sent now: it waits for its turn, or is left out."""
        name = topic.decode()
        if name in self._left_out:
            if not self._is_due(name):
                return True
            self._try_again(name)
        elif not self._one_by_one and name not in self._ends:
            return False
        held = self.held
        if flags & _RETAIN_OR_SUBSCRIBE:
            held[:] = [one for one in held if one[1] != topic]  # Only the newest one counts.
        if len(held) >= _HELD_MAX:
            raise OSError(_ETIMEDOUT)
        held.append((flags, topic, body))
        if self._opened_ms is not None:
            self.step()  # It may be its turn, and perhaps nothing arrives for long.
        return True

    def step(self):
        """Called with each look at what has arrived: send what is next, if it is time."""
        session = self._session
        if self._opened_ms is None:
            self._opened_ms = session.wire.now_ms()
            self._opening_ms = session.wire.since_ms(self._tried_ms)
            if session.lw_topic is None and self._will and _WILL not in self._left_out:
                self._leave_out(_WILL)
            elif session.lw_topic:
                self._waits.pop(_WILL, None)
        if session.others or session.ping_ms is not None:
            self._waited_ms = session.wire.since_ms(self._tried_ms)
            return
        if self._trying:
            name = self._trying[1].decode()
            self._trying = None
            self._ends.pop(name, None)
            self._waits.pop(name, None)
            if session.granted:
                take(session, name)
            session.granted = True
        if session.in_flight.sent:
            if session.wire.since_ms(self._opened_ms) < _PATIENCE_MS:
                return
        else:
            session.early_in_vain = self.is_stuck = False
            self._ends.pop(_READINGS, None)
        for name in list(self._again):
            if self._is_due(name):
                message = self._again[name]
                self._try_again(name)
                self.held.append(message)
        if self.held:
            self._trying = self.held.pop(0)
            self._tried_ms = session.wire.now_ms()
            self._waited_ms = 0
            session.send(*self._trying)
            if not self._trying[0] & _QOS1:
                session.ask()

    # What the recovery asks for --------------------------------------------------------------

    def ended(self, code, was_up, early):
        """A connection ended with errno `code`; what it ended at in words, or None.

        was_up: after CONNACK. early: packets that were sent before it had no answer.
        """
        session = self._session
        self.decided = False
        self._has_ended = self._one_by_one = True
        trying = self._blame()
        waiting = bool(self.held) or self._opened_ms is None
        self.held.clear()
        sent_bytes, self._sent_bytes = self._sent_bytes, session.wire.sent_bytes
        if trying:
            return (
                "broker does not answer " if code == _ETIMEDOUT else "broker closes on "
            ) + trying
        if code != _ECONNRESET:
            return None
        if not was_up:
            if early or sent_bytes == session.wire.sent_bytes:
                return None
            if session.lw_topic is None and self._will:
                # It is not for the will, then.
                self._ends.pop(_WILL, None)
                self._left_out.pop(_WILL, None)
                self._waits.pop(_WILL, None)
                return "broker closes on CONNECT, with a will and without: %s" % (
                    "wrong user or password?" if session.user else "does it want a login?"
                )
            if self._count(_WILL) < _ENDS_MAX:
                return "broker closes on CONNECT"  # It may be just starting.
            return "broker closes on CONNECT: does it take our login and will?"
        flight = session.in_flight
        if flight.sent:
            oldest = flight.ids[flight.first]
            if oldest != self._oldest:
                self._ends.pop(_READINGS, None)
            self._oldest = oldest
            if self._count(_READINGS) >= _ENDS_MAX:
                self.is_stuck = True
                return "broker closes on readings: does it take …/telemetry from us, with QoS 1?"
        elif not (waiting or session.others or session.ping_ms is not None):
            # It had taken everything.
            self._idle_ends += 1
            if self._idle_ends >= _ENDS_MAX:
                return "broker closes though it took all: does another client have this id?"
        return None

    def settled(self):
        """The connection has lasted: what it took is taken."""
        self._has_ended = False
        self._go_on()

    # Inside ----------------------------------------------------------------------------------

    def _closed(self):
        """The last connection is over; unless it ended by itself, a wake's time was: then only
        what it has waited for as for four round trips, or half an answer's deadline, is to blame.
        """
        long_ms = min(2 * self._opening_ms, self._session.timeout_ms // 2)
        if not self._has_ended and self._waited_ms > long_ms and self._blame():
            self._has_ended = True
        self._go_on()

    def _blame(self):
        """Name of the extra that had no answer when the connection was over, or None."""
        message, self._trying = self._trying, None
        if message is None:
            return None
        name = message[1].decode()
        if self._count(name) >= _ENDS_MAX:
            self._leave_out(name)
            if len(message[2]) <= _KEPT_BYTES:
                self._again[name] = message
        return name

    def _go_on(self):
        """Unless the last connection ended, or something still waits, no more is held back than
        has to be; nothing at all, and this object is not needed any more."""
        if self._has_ended or self._trying or self.held:
            return
        self._one_by_one = False
        self._idle_ends = 0
        if not (self._ends or self._left_out):
            self._session.careful = None

    def _count(self, name):
        ends = self._ends[name] = self._ends.get(name, 0) + 1
        return ends

    def _leave_out(self, name):
        self.decided = True
        self._ends.pop(name, None)
        wait_ms = min(2 * self._waits.get(name, _AGAIN_FIRST_MS // 2), _AGAIN_MOST_MS)
        self._waits[name] = wait_ms
        self._left_out[name] = self._uptime_ms() + wait_ms
        refuse(self._session, name, "does not take")
        self._log("link: %s is left out for %d min" % (name, wait_ms // 60000))

    def _is_due(self, name):
        return name in self._left_out and self._uptime_ms() >= self._left_out[name]

    def _try_again(self, name):
        del self._left_out[name]
        self._again.pop(name, None)
        self._ends[name] = _ENDS_MAX - 1  # One more end is enough.
