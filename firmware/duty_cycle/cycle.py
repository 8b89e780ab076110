"""A node that sleeps between its readings: it wakes, measures, delivers when due, and sleeps.

The order saves charge. The supply is read before the radio draws from it; the sensors start before
the radio, so that a conversion lies within the join; readings, state and health leave in the
segment of CONNECT; the radio is off before the board sleeps. Whatever a wake could not deliver
within its limit waits for a later one.

While it sleeps its status is `asleep`, with the time of the next delivery. It ends each session in
order, so no broker publishes its will: a node that is late by that time has failed.
"""

import json

from micropython import const

from firmware.duty_cycle.grid import Grid
from firmware.duty_cycle.sleep import Sleep

# After a delivery: for an answer from the time server, and for commands that waited at the broker.
_LINGER_MS = const(3000)
# A broker sends the commands that it has kept before it answers what this wake sends. So a command
# that is not here this long after the last answer is not there.
_LISTEN_MS = const(20)
# Kept awake by command: how soon the next reading's time is noticed.
_AWAKE_STEP_MS = const(500)


class DutyCycle:
    """A node in the mode `duty_cycle`; see `AlwaysOn` for the parts that both have.

    `step` returns milliseconds until there is more to do; if `sleeping` is True after it, these
    are to be given to `sleep`, and `step` called again when that returns.
    kept: the state of rtc_memory.py that a deep sleep kept, {} after a cold start.
    watch: what `watch_pins` gave.
    """

    sleeping = False
    state = b"asleep"

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
        board,
        kept,
        watch,
    ):
        self.clock = clock
        self.settings = settings
        self._log = log
        self.sampler = sampler
        self.link = link
        self.uplink = uplink
        self.outbox = outbox = uplink.outbox
        self.timekeeper = timekeeper
        self.identity = identity
        self.restart = restart
        self.trial = trial
        self.signals = signals
        self._board = board
        self.stay_awake_until_ms = 0  # uptime, by command
        self.now_ms = _planned_by(board, clock)
        # From the board's start to this object. Ticks began with a board that slept deep.
        self._boot_ms = clock.ticks_ms() if board.retained_bytes else 0
        self._lease_ms = settings["lease_s"] * 1000
        link.station.keeps_lease = self._lease_ms > 0
        self._lease_at_ms = kept.get("lease_at", 0)
        sensors = settings["sensors"]
        # A light sleep stops the UART that would receive what a sensor sends meanwhile.
        senders = [one for one in sensors if one.get("sends")]
        self._sleeps_in_waits = board.rests and not senders
        self._waits_asleep = False
        self.watch = watch
        self._alarms = _alarms(sensors, kept.get("alarms"))
        link.session.refused = kept.get("refused", [])
        self._battery, self._supply_mv = _battery(board, settings)
        self.grid = Grid(
            settings["sample_s"] * 1000,
            settings["deliver_every"],
            int(settings["retry"]["cap_s"] * 1000),
            kept.get("next", self.now_ms()),
            kept.get("deliver", 0),
            kept.get("failed", 0),
        )
        self._next_health_ms = kept.get("health", 0)
        timekeeper.due_ms, timekeeper.retry_ms = kept.get("ntp", (0, timekeeper.retry_ms))
        # Each question costs radio: what does not answer is not asked for ever at each wake.
        timekeeper.retry_max_ms = settings["ntp"]["interval_s"] * 1000
        self._deliver_next = not kept
        self._urgent = kept.get("urgent", False)
        board.short_sleeps = kept.get("short", 0)
        # What the outboxes before this one lost: the counts go on for the whole boot.
        dropped, corrupt, refused = kept.get("lost", (0, 0, 0))
        outbox.dropped += dropped
        outbox.corrupt += corrupt
        outbox.refused += refused
        self._dropped = dropped
        self._delivering = self._may_deliver = self._had_lease = False
        self._woke_ms = self._sampled_ms = self._open_ms = self._failures = 0
        self._collect_at_ms = self._up_ms = self._done_ms = None
        self._sleep = Sleep(board, settings, self.now_ms, self.watch, link, kept, log)
        self._has_begun = False
        self._woke_for_input = kept.get("input", False)

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        if not self._has_begun:
            self._has_begun = True
            self._begin(self._woke_for_input)
        elif self.sleeping:
            self.sleeping = False
            self._begin(self._input_has_changed())
        # Not before that: a sample that is due must not wait for the radio to start.
        now_ms = self.clock.uptime_ms()
        if self._collect_at_ms is not None:
            if now_ms < self._collect_at_ms:
                due_ms = self._collect_at_ms - now_ms
                if self._delivering:
                    return min(due_ms, self.link.step(self))
                self._waits_asleep = self._sleeps_in_waits
                return due_ms
            due_ms = self.sampler.again()
            if due_ms:
                self._collect_at_ms = self.clock.uptime_ms() + due_ms
                return 0
            self._collect()
        self._waits_asleep = False
        if self._delivering:
            due_ms = self._deliver(now_ms)
            if not self._is_done():
                return due_ms
        return self._finish()

    def wait(self, duration_ms):
        """Wait between two steps, while no socket is open."""
        if self._waits_asleep:
            self._board.light_sleep(duration_ms, self.watch)
        else:
            self.clock.sleep_ms(duration_ms)

    def sleep(self, sleep_ms):
        """Sleep; returns on a board that keeps its RAM, and starts anew on any other."""
        self._sleep(self, sleep_ms)

    def keep(self):
        """The node's part of what a deep sleep keeps (rtc_memory.py); no reading is part of it."""
        outbox, discovery = self.outbox, self.uplink.discovery
        return {
            "boot": self.identity.boot,
            "seq": self.identity.seq,
            "uptime": self.clock.uptime_ms(),
            "rtc": self.now_ms(),
            "next": self.grid.next_ms,
            "interval": self.grid.interval_ms(),
            "deliver": self.grid.retry_at_ms,
            "failed": self.grid.failed,
            "health": self._next_health_ms,
            "lease_at": self._lease_at_ms,
            "ntp": (self.timekeeper.due_ms, self.timekeeper.retry_ms),
            "alarms": self._alarms.state if self._alarms else {},
            "refused": self.link.session.refused,
            "described": discovery.told if discovery else 0,
            "lost": (outbox.dropped, outbox.corrupt, outbox.refused),
            # See `full` and `deliver_now`: the next wake must not wait for its batch either.
            "urgent": self._urgent or self._deliver_next or outbox.dropped != self._dropped,
            "short": self._board.short_sleeps,
        }

    # One wake ----------------------------------------------------------------------------------

    def _begin(self, is_extra):
        if is_extra:
            self.watch.counts[1] += 1
        elif self.watch:
            self.watch.counts[0] = 0
        self._woke_ms = self.clock.uptime_ms()
        self._up_ms = self._done_ms = None
        self._failures = self.link.failures
        supply_mv = self._supply_mv()
        battery, grid = self._battery, self.grid
        grid.begin(is_extra, battery.stretch(supply_mv) if battery else 1)
        # The radio draws the most: whether the supply carries it is known before it starts.
        self._may_deliver = not battery or battery.may_deliver(supply_mv)
        may_try = self._may_deliver and grid.may_try(self.now_ms())
        wait_ms = self.sampler.begin()
        self._collect_at_ms = self.clock.uptime_ms() + wait_ms
        # An outbox that drops readings cannot wait for its batch to be complete.
        full = self.outbox.dropped != self._dropped
        self._dropped = self.outbox.dropped
        due = grid.is_complete(self.outbox.depth) or self._deliver_next or full or self._urgent
        self._delivering = due and may_try
        self._deliver_next = False
        self._pace()
        station = self.link.station
        if station.lease and self.now_ms() - self._lease_at_ms > self._lease_ms:
            station.lease = None
        self._had_lease = bool(station.lease)
        # The radio may join while the sensors convert; CONNECT waits for the reading.
        self.link.hold = True

    def _collect(self):
        self._collect_at_ms = None
        self.link.hold = False
        fields = self.sampler.finish()
        urgent = self._alarms.check(fields) if self._alarms else []
        if self.watch:
            urgent += self.watch.collected()
        if urgent:
            self._log("alarm: %s" % ", ".join(urgent))
            self._urgent = True
            # A threshold is worth a try even while failed deliveries are being spaced out.
            if self._may_deliver and not self._delivering:
                self._delivering = True
                self._pace()  # Only now: in a wake that delivers anyway the radio is on by now.
        if self._delivering and self._alarms:
            self._alarms.delivered(fields)
        self._sampled_ms = self.clock.uptime_ms()

    def _deliver(self, now_ms):
        due_ms = self.link.step(self)
        self._step_trial()
        if self.link.station.is_up():
            if self._up_ms is None:
                self._up_ms = now_ms
            if not self.uplink.is_catching_up():
                due_ms = min(due_ms, self.timekeeper.step())
                self._follow_clock()
        if self.signals:
            due_ms = min(due_ms, self.signals.show(self.link, self.state))
        left_ms = self._sampled_ms + self._limit_ms() - now_ms
        if self._stays():
            left_ms = _AWAKE_STEP_MS  # The limit is for wakes that nobody asked to last.
        return max(min(due_ms, left_ms), 0)

    def _is_done(self):
        now_ms = self.clock.uptime_ms()
        has_failed = self.link.failures != self._failures
        # What it failed at without a reading waiting can wait, and keeps no reading waiting.
        all_gone = not self.outbox.depth if has_failed else self.link.is_up and not self._owes()
        if all_gone and self._done_ms is None:
            self._done_ms = now_ms
            self.grid.delivered()
            self._urgent = False
        if has_failed:
            return True
        if self._stays():
            # Until the next reading is due, which is then taken without a sleep.
            return self.now_ms() >= self.grid.reading_due_ms(1) or self._input_has_changed()
        # From the reading on: CONNECT waits for it, however slow the sensors are.
        if now_ms - self._sampled_ms >= self._limit_ms():
            self._log("trying for %d s: the rest must wait" % (self._limit_ms() // 1000))
            return True
        if self._done_ms is None or self._owes():
            return False
        after_ms = now_ms - self._done_ms
        if after_ms < _LISTEN_MS or not self.uplink.commands.is_idle():
            return False
        return after_ms >= _LINGER_MS or not self.timekeeper.is_asking()

    def _finish(self):
        """Close, switch the radio off, and say how long to sleep."""
        station = self.link.station
        # Only one that may deliver: any other would come here again without having waited.
        stays = self._delivering and self.link.is_up and self._stays()
        if stays:
            self.grid.try_at_once()  # What is left goes with the next reading.
        elif self._delivering and self._done_ms is None:
            self.grid.not_delivered(self.now_ms())
            station.lease = None  # Perhaps somebody else has the address by now.
        elif not self._may_deliver and self.trial and self.trial.is_open:
            # Perhaps by the very limits that are on trial: then no wake would ever deliver.
            self.grid.failed += 1
            self.link.failure = "supply too low to deliver"
            self._step_trial()
        if self.settings["profile"]:
            self._log_profile()
        if not stays:
            self.timekeeper.give_up()
            self.link.close()
            station.power_cycle()
            self._board.throttle(False)
            self.uplink.commands.leave()
        self._delivering = False
        sleep_ms = self.grid.end(self.now_ms())
        if stays:
            self._deliver_next = True
            self._begin(self._input_has_changed())
            return 0
        if self.signals:
            self.signals.step(None)
        self.sleeping = True
        self._log("asleep for %.1f s" % (sleep_ms / 1000))
        return sleep_ms

    def _input_has_changed(self):
        """Whether an input has changed that is to be told of now."""
        return bool(self.watch) and not self.watch.due_ms()

    def _pace(self):
        """Whatever waits in this wake waits on a slow clock; a TLS handshake works."""
        if not self.link.is_up:
            self._board.throttle(not (self._delivering and self.link.security))

    def _step_trial(self):
        link, trial = self.link, self.trial
        # Its five minutes pass asleep as well: so many wakes must have come to nothing, too.
        if (
            trial
            and trial.is_open
            and (link.is_up or self.grid.failed >= trial.wakes)
            and trial.step(self)
        ):
            self.restart()

    def _follow_clock(self):
        """If the real-time clock was set, what was planned on it moves along."""
        step_ms, self.timekeeper.stepped_ms = self.timekeeper.stepped_ms, 0
        if step_ms and self._board.retained_bytes:
            self.grid.clock_stepped(step_ms)
            if self.watch:
                self.watch.moved(step_ms)

    def _limit_ms(self):
        trial = self.trial
        least_s = trial.awake_s if trial and trial.is_open else 0
        return max(self.settings["awake_limit_s"], least_s) * 1000

    def _owes(self):
        return bool(self.outbox.depth) or self.link.session.waits()

    def _stays(self):
        """Whether a command keeps the node awake and connected."""
        return self.clock.uptime_ms() < self.stay_awake_until_ms

    # What commands ask for ----------------------------------------------------------------------

    def apply(self, key, value):
        """Put a setting into force that needs no restart."""
        settings, grid = self.settings, self.grid
        settings[key] = value
        grid.sample_ms = settings["sample_s"] * 1000
        grid.deliver_every = settings["deliver_every"]

    def sample_now(self):
        """Wake again at once after this wake's end."""
        self.grid.sample_now(self.now_ms())

    def deliver_now(self):
        """Deliver with the next reading, however few wait."""
        self._deliver_next = True

    def publish_health(self):
        """Publish `…/health` now."""
        more = {"short_sleeps": self._board.short_sleeps}
        if self.watch:
            more["pin_wakes"], more["pin_storms"] = self.watch.counts[1:]
            if self.watch.error:
                more["pin_error"] = self.watch.error
        self.uplink.publish_health(self, more)

    # What the link asks for ---------------------------------------------------------------------

    def may_restart(self):
        """See `Link`."""
        return self.uplink.is_safe()

    def connect(self):
        """See `Link`. The state tells that the node sleeps, and until when, or for how long."""
        status = {"state": self.state.decode()}
        left_s = (self.grid.reading_due_ms(self.grid.deliver_every) - self.now_ms()) // 1000
        unix_s = self.clock.unix_s()
        if unix_s is None:
            status["for_s"] = left_s
        else:
            status["until"] = unix_s + left_s
        self.uplink.connect(json.dumps(status).encode())
        uptime_ms = self.clock.uptime_ms()
        if uptime_ms >= self._next_health_ms:
            self.publish_health()
            self._next_health_ms = uptime_ms + int(self.settings["health_s"] * 1000)

    def opened(self):
        """See `Link`."""
        self._open_ms = self.clock.uptime_ms()
        if not self._had_lease:
            self._lease_at_ms = self.now_ms()

    def closed(self):
        """See `Link`. Nobody knows whether the last report has arrived: the next follows soon."""
        self._next_health_ms = 0
        self.uplink.closed()

    def work(self):
        """Deliver what waits, and do what was asked for; milliseconds until there is more."""
        return 0 if self.uplink.step(self) else _LISTEN_MS

    # -------------------------------------------------------------------------------------------

    def _log_profile(self):
        times = {"boot_ms": self._boot_ms, "sample_ms": self._sampled_ms - self._woke_ms}
        report = self.uplink.last_delivery
        if self._delivering:
            # A wake that gave up counts what it spent on trying.
            times["join_ms"] = (self._up_ms or self.clock.uptime_ms()) - self._woke_ms
            times["readings"] = 0
        if self._done_ms is not None and report:
            # CONNECT waits for the reading, which is the sensors' time and not the network's.
            times["connect_ms"] = self._open_ms - max(self._up_ms or 0, self._sampled_ms)
            times["deliver_ms"] = self._done_ms - self._open_ms
            times["readings"] = report["readings"]
        self._log("profile " + json.dumps(times))


def _planned_by(board, clock):
    """now_ms() of the clock that the node plans by."""
    # RAM and ticks go on in a light sleep. RP2's real-time clock counts whole seconds there,
    # and was seen to lose parts of them: by it, samples would drift off their grid.
    return clock.rtc_ms if board.retained_bytes else clock.uptime_ms


def watch_pins(board, clock, sensors, log, kept):
    """(what minds the sensors' pins while the node sleeps or None, the sensors as they are to be
    built then). kept: as for `DutyCycle`, or None."""
    if not [one for one in sensors if one.get("watched")]:
        return None, sensors
    from firmware.duty_cycle.watched_pins import Watch

    kept = kept or {}
    now_ms = _planned_by(board, clock)
    watch = Watch(board, now_ms, sensors, log, kept.get("pins", ()), kept.get("woken"))
    watch.error = kept.get("pin_error")
    return watch, watch.sensors


def _alarms(sensors, kept):
    """The alarms of the sensors' fields; None if there is none."""
    limits = {}
    for sensor in sensors:
        for alarm in sensor["alarms"]:
            limits[sensor["prefix"] + alarm["field"]] = alarm
    if not limits:
        return None
    from firmware.duty_cycle.alarms import Alarms

    return Alarms(limits, kept)


def _battery(board, settings):
    """(the policy for a low battery or None, supply_mv() of the board or of its divider)."""
    low = settings["low_battery"]
    if not low:
        return None, board.supply_mv
    from firmware.duty_cycle import battery_policy

    policy = battery_policy.BatteryPolicy(low["below_mv"], low["stretch"], low["stop_mv"])
    for one in settings["sensors"]:
        if one.get("measures_supply"):
            return policy, battery_policy.divider(board, one)
    return policy, board.supply_mv
