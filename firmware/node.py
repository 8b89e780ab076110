"""The node: what any node tells its broker (`Uplink`), and the node that is always on.

`step` does one bounded piece of work and says when the next is due. Whoever runs the node waits
there and nowhere else, so a test can drive months of a node's life on a fake clock. The node that
sleeps between its readings is firmware/duty_cycle/cycle.py.
"""

import json

_STATE = b'{"state":"%s"}'
_OFFLINE = _STATE % b"offline"


def topics(base, node):
    """The topic root `<base>/<node>/` as bytes."""
    return ("%s/%s/" % (base, node)).encode()


def will(base, node):
    """(topic, payload) that the broker publishes when the node vanishes."""
    return topics(base, node) + b"status", _OFFLINE


class Uplink:
    """All that a node publishes over its session: state, readings, health, answers, discovery.

    root: of its topics. health: firmware/remote/health.py. commands: firmware/remote/inbox.py.
    discovery: firmware/remote/home_assistant.py, or None. settings: config.check()'s.
    updates: firmware/update/doorway.py, if the node has keys, or None.

    `patience_ms`: how soon it is to be stepped again. `last_delivery`: what it took to deliver
    what had waited. `catching_up`: how the present one began; None once nothing that waited for
    this connection is on its way.
    """

    patience_ms = 3600000

    def __init__(
        self,
        clock,
        session,
        outbox,
        delivery,
        root,
        health,
        commands,
        discovery,
        settings,
        log,
        updates=None,
    ):
        self.session = session
        self.updates = updates
        session.log = log
        self._obeys = settings["commands"] != "off"
        self.outbox = outbox
        self.delivery = delivery
        self.commands = commands
        self.discovery = discovery
        self._clock = clock
        self._root = root
        self._health_topic = root + b"health"
        self._health = health
        self._durable = settings["outbox"]["durability"] == "reading"
        outbox.write_through = self._durable
        self._log = log
        self._crash_sent = False
        self.catching_up = None
        self.last_delivery = None

    def connect(self, status):
        """Publish what leaves in the segment of CONNECT: all that waits, then `status` and what
        else there is. Readings go first: a broker may close on anything that it does not take."""
        session, wire = self.session, self.session.wire
        self.catching_up = (
            self._clock.uptime_ms(),
            wire.round_trips - 1,  # TCP's own is over
            wire.segments,
            self.delivery.delivered,
        )
        self.delivery.restart()
        self.delivery.pump_all()
        # Whoever reads that it is there may send a command at once.
        if self._obeys:
            session.subscribe(self.commands.topic)
        session.publish(self._root + b"status", status, True, 1)
        if self.updates:
            self.updates.connect()
        self.commands.restart()
        if self.discovery:
            self.discovery.restart()

    def opened(self):
        """The session lasts: what it takes need not go to flash first."""
        self._log("link: up, %s" % self.session.server)
        self.outbox.write_through = self._durable

    def closed(self):
        """The session is over, or could not be had."""
        self.catching_up = None
        self._crash_sent = False
        # From here on nobody knows for how long: what is only in RAM would not survive.
        self.outbox.write_through = True
        self.outbox.spill()

    def is_safe(self):
        """Whether a restart would cost no reading: all that waits is on flash."""
        self.outbox.spill()
        return self.outbox.depth == self.outbox.on_flash

    def step(self, node):
        """Deliver what waits, then do what commands ask of `node`; True: more to do at once."""
        if self.delivery.pump():
            return True
        if self.catching_up and not self.outbox.depth:
            self._note_delivery(*self.catching_up)
            self.catching_up = None
        if self._crash_sent and not self.session.waits():
            self._crash_sent = False
            if self._health_topic.decode() not in self.session.refused:
                self._health.crash_published()
        if self.discovery:
            self.discovery.step()
        return self.commands.step(node) or (bool(self.updates) and self.updates.step(node))

    def publish_health(self, node, more=None):
        """Publish `…/health` now (retained, QoS 0; QoS 1 while there is a crash to tell of).

        more: what a kind of node has to add to it.
        """
        self._crash_sent = bool(self._health.crash)
        report = self._health(node)
        if self.last_delivery:
            report["delivery"] = self.last_delivery
        report.update(more or {})
        text = json.dumps(report).encode()
        self.session.publish(self._health_topic, text, True, self._crash_sent)

    def say_offline(self):
        """The node goes, and says so."""
        try:
            self.session.publish(self._root + b"status", _OFFLINE, True, 0)
        except OSError:
            pass  # The will says the same.

    def _note_delivery(self, start_ms, round_trips, segments, delivered):
        wire = self.session.wire
        took = (
            self.delivery.delivered - delivered,
            wire.round_trips - round_trips,
            wire.segments - segments,
            self._clock.uptime_ms() - start_ms,
        )
        self.last_delivery = dict(zip(("readings", "round_trips", "segments", "ms"), took))
        if took[0]:
            self._log("delivered %d readings in %d round trips, %d segments, %d ms" % took)


class AlwaysOn:
    """A node in the mode `always_on`; also any node in safe mode.

    clock: `uptime_ms`, `unix_s`. sampler, link, timekeeper: by interface. identity: boot and seq.
    settings: config.check()'s. restart(): of the board, in order. trial: a change of settings that
    has yet to prove itself (firmware/config/change.py), or None. signals: firmware/led.py, if it
    has an LED to use. state: what `…/status` says while it is up.
    """

    sleeping = False

    def __init__(
        self,
        clock,
        settings,
        log,
        sampler,
        link,
        uplink,
        timekeeper,
        identity,
        restart,
        trial,
        signals,
        state,
    ):
        self.clock = clock
        self.settings = settings
        self.sampler = sampler
        self.link = link
        self.uplink = uplink
        self.outbox = uplink.outbox
        self.timekeeper = timekeeper
        self.identity = identity
        self.restart = restart
        self.trial = trial
        self.signals = signals
        self.state = state
        self.wait = clock.sleep_ms
        self.stay_awake_until_ms = 0  # uptime, by command: it is awake anyway
        self._next_health_ms = 0
        # See `Link.step`.
        self.may_restart = uplink.is_safe
        self.closed = uplink.closed

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        link, trial = self.link, self.trial
        due_ms = min(self.sampler.step(), link.step(self))
        if link.station.is_up() and not self.uplink.catching_up:
            # Not before the backlog is delivered: to look up the server's name can take seconds.
            due_ms = min(due_ms, self.timekeeper.step())
        if trial and trial.is_open and trial.step(self):
            self.restart()
        if self.signals:
            due_ms = min(due_ms, self.signals.show(link, self.state))
        return due_ms

    # What commands ask for ----------------------------------------------------------------------

    def apply(self, key, value):
        """Put a setting into force that needs no restart."""
        self.settings[key] = value
        if key == "sample_s":
            self.sampler.set_interval(value * 1000)

    def sample_now(self):
        """Take the next reading at once; the grid goes on from there."""
        self.sampler.now()

    def deliver_now(self):
        """Nothing to do: an `always_on` node delivers as fast as it can."""

    def publish_health(self):
        """Publish `…/health` now."""
        self.uplink.publish_health(self)

    # What the link asks for ---------------------------------------------------------------------

    def connect(self):
        """See `Link`."""
        self.uplink.connect(_STATE % self.state)

    def opened(self):
        """See `Link`."""
        self._next_health_ms = 0
        self.uplink.opened()

    def work(self):
        """Deliver what waits, publish health when due; milliseconds until there is more."""
        uplink = self.uplink
        if uplink.step(self):
            return 0
        health_ms = self.settings["health_s"] * 1000
        if uplink.catching_up:
            return health_ms
        now_ms = self.clock.uptime_ms()
        if now_ms >= self._next_health_ms:
            self.publish_health()
            self._next_health_ms = now_ms + health_ms
        return min(self._next_health_ms - now_ms, uplink.patience_ms)
