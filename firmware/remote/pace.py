"""A fleet is asked to slow down: one retained message at `<base>/pace`, for all of its nodes.

It is JSON, {"factor": 4, "until": 1795368917}: back-off and deliveries are stretched `factor`
times until that time, in Unix seconds; an empty message ends it. Whoever may publish there can do
no lasting harm: a factor is 16 at most; a time more than a day ahead does not count; no node
delivers less often for it than once an hour, or keeps more readings for it than RAM is to hold;
and readings are taken as ever. Loaded with `"pace": true`.
"""

import json
from binascii import crc32

from micropython import const

_FACTOR_MAX = const(16)
_BYTES_MAX = const(100)
_DAY_S = const(86400)
# Nobody is slowed beyond one delivery in so long.
_DELIVERY_S = const(3600)
# A node without the time obeys a message for so long from when it first came.
_UNDATED_MS = const(3600000)
_BACK_OFF_MAX_MS = const(900000)


class Pace:
    """What is in force. topic: bytes. kept: what `keep` gave before a deep sleep, or None."""

    def __init__(self, topic, session, clock, log, kept):
        self.topic = topic
        self._session = session
        self._clock = clock
        self._log = log
        # Of the message; and uptime at which one with this `until` came first.
        self._factor, self._until_s, self._since_ms = kept or (1, 0, 0)

    def connect(self):
        """A new connection begins."""
        self._session.subscribe(self.topic)

    def receive(self, payload):
        """A message on `topic`."""
        factor, until_s = 1, 0
        if payload:
            found = None
            try:
                found = json.loads(payload) if len(payload) <= _BYTES_MAX else None
                factor, until_s = found["factor"], found["until"]
            except (ValueError, KeyError, TypeError):
                pass
            if not (isinstance(factor, int) and isinstance(until_s, int) and until_s):
                self._log("pace: not understood")
                return
        if until_s != self._until_s:
            self._since_ms = self._clock.uptime_ms()
        self._factor, self._until_s = max(1, min(factor, _FACTOR_MAX)), until_s
        self._log("pace: %d times as slow" % self.factor())

    def factor(self):
        """By how much the node is to be slower now; 1: not at all."""
        unix_s = self._clock.unix_s()
        if unix_s is None:
            holds = self._clock.uptime_ms() - self._since_ms < _UNDATED_MS
        else:
            holds = 0 < self._until_s - unix_s <= _DAY_S
        return self._factor if holds else 1

    def limit_ms(self, limit_ms):
        """The limit of a back-off, stretched."""
        return max(limit_ms, min(limit_ms * self.factor(), _BACK_OFF_MAX_MS))

    def gather(self, settings, count):
        """How many readings a delivery is to wait for. count: of a node that is not slowed."""
        most = min(_DELIVERY_S // settings["sample_s"], settings["outbox"]["ram_readings"])
        return max(count, min(count * self.factor(), most))

    def keep(self):
        """What a deep sleep has to keep, for JSON."""
        return self._factor, self._until_s, self._since_ms

    def health(self):
        """What `…/health` tells of it."""
        return {"factor": self.factor(), "until": self._until_s}


class PacedInbox:
    """An inbox (firmware/remote/inbox.py) that takes the message in as well."""

    def __init__(self, inbox, pace):
        self._inbox = inbox
        self._pace = pace
        self.topic = inbox.topic
        self.step = inbox.step
        self.keep = inbox.keep
        self.leave = inbox.leave
        self.is_idle = inbox.is_idle

    @property
    def queue(self):
        """What waits."""
        return self._inbox.queue

    @property
    def overflow(self):
        """How many more came than may wait."""
        return self._inbox.overflow

    def receive(self, topic, payload, retained):
        """Called by the session, for every message."""
        if topic == self._pace.topic:
            self._pace.receive(payload)
        else:
            self._inbox.receive(topic, payload, retained)

    def restart(self):
        """A new connection begins."""
        self._pace.connect()
        self._inbox.restart()


class PacedDelivery:
    """A delivery (firmware/readings/delivery.py) of a node that is always on: what is taken while
    it is connected is gathered. A new connection takes all that waits.

    phase: of the node. The first batch is short by it, so that a fleet's batches lie apart.
    """

    def __init__(self, delivery, outbox, settings, pace, phase):
        self._delivery = delivery
        self._outbox = outbox
        self._settings = settings
        self._pace = pace
        self._phase = self._lead = phase
        self.restart = delivery.restart
        self.pump_all = delivery.pump_all
        self.render = delivery.render

    @property
    def delivered(self):
        """Readings acknowledged since the start."""
        return self._delivery.delivered

    def pump(self):
        """As there, once enough wait."""
        count = self._pace.gather(self._settings, 1)
        if count == 1:
            self._lead = self._phase
            return self._delivery.pump()
        if self._outbox.depth + self._lead % count >= count:
            self._lead = 0
            self._delivery.pump_all()
        return False


def join(inbox, delivery, outbox, link, settings, state):
    """(the inbox, the delivery) of a node that obeys the pace; `link` has it as well.

    state: what a deep sleep kept, or None.
    """
    session = link.session
    topic = settings["mqtt"]["base"].encode() + b"/pace"
    pace = Pace(topic, session, link.clock, link.log, (state or {}).get("pace"))
    link.pace = pace
    if settings["mode"] == "always_on":  # The batches of any other are those of its wakes.
        delivery = PacedDelivery(delivery, outbox, settings, pace, crc32(session.client_id))
    return PacedInbox(inbox, pace), delivery
