"""The duty cycle: sample, store, deliver. A state machine that steps.

`step` does one bounded piece of work and says when the next is due. Whoever runs the node waits
there and nowhere else, so a test can drive months of a node's life on a fake clock.
"""

import json

from firmware.readings import record as reading

_STATE = b'{"state":"%s"}'
_OFFLINE = _STATE % b"offline"


def topics(base, node):
    """The topic root `<base>/<node>/` as bytes."""
    return ("%s/%s/" % (base, node)).encode()


def will(base, node):
    """(topic, payload) that the broker publishes when the node vanishes."""
    return topics(base, node) + b"status", _OFFLINE


class Node:
    """One node in the mode `always_on`.

    clock: `uptime_ms`, `unix_s`. sampler, outbox, delivery, link, timekeeper: by interface.
    identity: boot and seq. health: firmware/remote/health.py. settings: what `check` returns.
    log(text). `state`: what `…/status` says while it is up.
    """

    state = b"online"
    sleeping = False
    rest = None  # rest(ms): a better wait than the clock's, while no socket is open
    commands = None  # firmware/remote/inbox.py's Inbox, if the node listens for any
    stay_awake_until_ms = 0  # uptime, by command
    trial = None  # firmware/config/change.py: a change of settings that has yet to prove itself
    discovery = None  # firmware/remote/home_assistant.py, if Home Assistant is to find the node
    signals = None  # firmware/led.py, if it has an LED to use

    def __init__(
        self, clock, sampler, outbox, delivery, link, timekeeper, identity, health, settings, log
    ):
        self.clock = clock
        self.sampler = sampler
        self.outbox = outbox
        self.delivery = delivery
        self.link = link
        self.timekeeper = timekeeper
        self.identity = identity
        self.settings = settings
        self._health = health
        self._log = log
        root = topics(settings["mqtt"]["base"], settings["node"])
        self._status_topic = root + b"status"
        self._health_topic = root + b"health"
        self._health_ms = int(settings["health_s"] * 1000)
        self._always_flash = settings["outbox"]["durability"] == "reading"
        outbox.write_through = self._always_flash
        self._next_health_ms = 0
        self._crash_out = False
        self._catching_up = None
        self.last_delivery = None
        link.ride = self._ride
        link.work = self._work
        link.on_up = self._on_up
        link.on_down = self._on_down
        link.may_restart = self._is_safe

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        due_ms = min(self.sampler.step(), self.link.step())
        if self.link.station.is_up() and self._catching_up is None:
            # Not before the backlog is delivered: to look up the server's name can take seconds.
            due_ms = min(due_ms, self.timekeeper.step())
        self._step_trial()
        if self.signals:
            due_ms = min(due_ms, self.signals.step(self.mood()))
        return due_ms

    def mood(self):
        """What the LED tells: a key of `signals.PATTERNS`."""
        link = self.link
        if self.state == b"safe_mode":
            return "safe mode"
        if link.is_up:
            return "connected"
        if not link.station.is_up():
            return "no network" if link.station.failure else "joining"
        if link.refused:
            return "refused"
        return "no broker" if link.failure else "connecting"

    def stop(self):
        """Say that the node goes, and keep what has not been delivered."""
        self.outbox.spill()
        if self.link.is_up:
            try:
                self.link.session.publish(self._status_topic, _OFFLINE, True, 0)
            except OSError:
                pass  # The will says the same.
        self.link.close()

    def status(self):
        """Payload of `…/status`."""
        return _STATE % self.state

    def uptime_s(self):
        """Whole seconds since the boot began."""
        return self.clock.uptime_ms() // 1000

    def render(self, record):
        """The payload of a record, with what is known of the time by now."""
        return reading.payload(record, self.identity.boot, self.uptime_s(), self.clock.unix_s())

    def _step_trial(self):
        link, trial = self.link, self.trial
        if not trial or not trial.is_open:
            return
        if trial.step(link.is_up, self.clock.uptime_ms(), link.failure):
            link.restart()

    # What commands ask for ----------------------------------------------------------------------

    def apply(self, key, value):
        """Put a setting into force that needs no restart."""
        self.settings[key] = value
        if key == "sample_s":
            self.sampler.set_interval(value * 1000)
        elif key == "health_s":
            self._health_ms = value * 1000

    def sample_now(self):
        """Take the next reading at once; the grid goes on from there."""
        self.sampler.now()

    def deliver_now(self):
        """Nothing to do: an `always_on` node delivers as fast as it can."""

    def _is_safe(self):
        """Whether a restart would cost no reading: all that waits is on flash."""
        self.outbox.spill()
        return self.outbox.depth == self.outbox.on_flash

    # The link's hooks --------------------------------------------------------------------------

    def _ride(self):
        """What leaves in the segment of CONNECT: the state, then all that waits."""
        wire = self.link.session.wire
        self._catching_up = (
            self.clock.uptime_ms(),
            wire.round_trips - 1,  # TCP's own is over
            wire.segments,
            self.delivery.delivered,
        )
        session = self.link.session
        session.publish(self._status_topic, self.status(), True, 1)
        if self.commands:
            session.subscribe(self.commands.topic)
            self.commands.restart()
        if self.discovery:
            self.discovery.restart()
        self.delivery.restart()
        self.delivery.pump_all()

    def _on_up(self):
        self._log("link: up, %s" % self.link.session.server)
        self._next_health_ms = self.clock.uptime_ms()
        self.outbox.write_through = self._always_flash

    def _on_down(self):
        self._catching_up = None
        self._crash_out = False
        # From here on nobody knows for how long: what is only in RAM would not survive.
        self.outbox.write_through = True
        self.outbox.spill()

    def _work(self):
        """Deliver what waits, publish health when due; milliseconds until there is more."""
        more = self.delivery.pump()
        if more:
            return 0
        self._note_delivery()
        self._settle()
        if self.discovery:
            self.discovery.step()
        if self.commands and self.commands.step():
            return 0
        now_ms = self.clock.uptime_ms()
        if now_ms >= self._next_health_ms and self._catching_up is None:
            self.publish_health()
            self._next_health_ms = now_ms + self._health_ms
        return self._next_health_ms - now_ms if self._catching_up is None else self._health_ms

    def _settle(self):
        """Forget the last crash once the broker has it."""
        if self._crash_out and not self.link.session.waits():
            self._crash_out = False
            self._health.crash_published()

    def publish_health(self):
        """Publish `…/health` now (retained, QoS 0; QoS 1 while there is a crash to tell of)."""
        self._crash_out = bool(self._health.crash)
        text = json.dumps(self._report())
        self.link.session.publish(self._health_topic, text.encode(), True, int(self._crash_out))

    def _report(self):
        return self._health(self)

    def _note_delivery(self):
        if self._catching_up is None or self.outbox.depth:
            return
        start_ms, round_trips, segments, delivered = self._catching_up
        wire = self.link.session.wire
        self._catching_up = None
        self.last_delivery = {
            "readings": self.delivery.delivered - delivered,
            "round_trips": wire.round_trips - round_trips,
            "segments": wire.segments - segments,
            "ms": self.clock.uptime_ms() - start_ms,
        }
        self._log(
            "delivered %(readings)d readings in %(round_trips)d round trips, "
            "%(segments)d segments, %(ms)d ms" % self.last_delivery
        )
