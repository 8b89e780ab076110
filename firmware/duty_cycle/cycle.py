"""A node that sleeps between its readings: what it plans and keeps over many wakes.

In each wake it measures, delivers when that is due, and sleeps (wake.py, sleep.py). While it
sleeps its status is `asleep`, with the time of the next delivery. It ends each session in order,
so no broker publishes its will: a node that is late by that time has failed.
"""

import json

from micropython import const

from firmware.duty_cycle.grid import grid_of
from firmware.duty_cycle.sleep import Sleep
from firmware.duty_cycle.wake import Wake

# While a session is open: how soon what came up meanwhile is seen to.
_WORK_MS = const(20)


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
        self.log = log
        # How late a command came that the broker had kept, or None; and deliveries so far.
        self.listened = kept.get("listen", [None, 0])
        self.sampler = sampler
        self.link = link
        self.uplink = uplink
        self.outbox = outbox = uplink.outbox
        self.timekeeper = timekeeper
        self.identity = identity
        self.restart = restart
        self.trial = trial
        self.signals = signals
        self.board = board
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
        self._sleeps_in_waits = board.sleeps_in_waits and not senders
        self.watch = watch
        self._alarms = _alarms(sensors, kept.get("alarms"))
        link.session.refused = kept.get("refused", [])
        self._battery, self._supply_mv = _battery(board, settings)
        if kept:
            plan = [kept[name] for name in ("next", "deliver", "failed", "lead", "gather")]
        else:
            plan = self.now_ms() - self._ahead_ms(), 0, 0, 0, settings["deliver_every"]
        self.grid = grid_of(settings, *plan)
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
        self._may_deliver = self._had_lease = False
        self._sleep = Sleep(board, settings, self.now_ms, self.watch, link, kept, log)
        self._wake = None
        # Whether a wake from deep sleep is for an input: after it the pins themselves say so.
        self._woke_for_input = kept.get("input", False)
        self._has_read = kept.get("read", False)

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        if self._wake is None:
            is_extra, self._woke_for_input = self._woke_for_input, None
            self._begin(self.input_has_changed() if is_extra is None else is_extra)
        due_ms = self._wake.step()
        return self._end() if due_ms is None else due_ms

    def wait(self, duration_ms):
        """Wait between two steps, while no socket is open."""
        if self._sleeps_in_waits and self._wake.measures_alone:
            self.board.light_sleep(duration_ms, self.watch)
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
            "lead": self.grid.lead,
            "gather": self.grid.deliver_every,
            "pace": self.link.pace and self.link.pace.keep(),
            "health": self._next_health_ms,
            "lease_at": self._lease_at_ms,
            "ntp": (self.timekeeper.due_ms, self.timekeeper.retry_ms),
            "alarms": self._alarms.state if self._alarms else {},
            "refused": self.link.session.refused,
            "described": discovery.described if discovery else 0,
            "lost": (outbox.dropped, outbox.corrupt, outbox.refused),
            # See `full` and `deliver_now`: the next wake must not wait for its batch either.
            "urgent": self._urgent or self._deliver_next or outbox.dropped != self._dropped,
            "short": self.board.short_sleeps,
            "listen": self.listened,
            "alone": outbox.on_flash if self._reads_alone() else None,
        }

    def _reads_alone(self):
        """Whether the next wake needs nothing but its sensors (reading_wake.py)."""
        settings, outbox = self.settings, self.outbox
        return not (
            self.watch
            or self.trial
            or self._urgent
            or self._deliver_next
            or outbox.dropped != self._dropped
            or settings["outbox"]["durability"] == "reading"
            # These are looked at in each start, or before each sleep.
            or settings["awake_pin"] is not None
            or settings["setup_pin"] is not None
            or self.grid.delivers_next(outbox.depth)
        )

    # From wake to wake --------------------------------------------------------------------------

    def _begin(self, is_extra):
        self.sleeping = False
        if self.watch:
            self.watch.begin(is_extra)
        # The radio draws the most: whether the supply carries it is known before it starts.
        supply_mv = self._supply_mv()
        battery, grid, outbox = self._battery, self.grid, self.outbox
        grid.begin(is_extra, battery.stretch(supply_mv) if battery else 1)
        self._may_deliver = not battery or battery.may_deliver(supply_mv)
        # An outbox that drops readings cannot wait for its batch to be complete.
        is_full = outbox.dropped != self._dropped
        self._dropped = outbox.dropped
        is_due = grid.is_complete(outbox.depth) or self._deliver_next or is_full or self._urgent
        self._deliver_next = False
        station, now_ms = self.link.station, self.now_ms()
        if station.lease and now_ms - self._lease_at_ms > self._lease_ms:
            station.lease = None
        self._had_lease = bool(station.lease)
        delivers = is_due and self._may_deliver and grid.may_try(now_ms)
        self._wake = Wake(self, delivers, self._has_read)
        self._has_read = False

    def _end(self):
        """Close, switch the radio off, and say how long to sleep."""
        wake, link, grid = self._wake, self.link, self.grid
        # Only one that may deliver: any other would come here again without having waited.
        stays = wake.delivers and link.is_up and self.stays()
        if stays:
            grid.try_at_once()  # What is left goes with the next reading.
        elif wake.delivers and wake.done_ms is None:
            grid.not_delivered(self.now_ms())
            self._next_health_ms = 0  # As in `closed`.
            link.station.lease = None  # Perhaps somebody else has the address by now.
        elif not self._may_deliver and self.trial and self.trial.is_open:
            # Perhaps by the very limits that are on trial: then no wake would ever deliver.
            grid.failed += 1
            link.failure = "supply too low to deliver"
            self.step_trial()
        if self.settings["profile"]:
            from firmware.duty_cycle.profile import profile

            uptime_ms = self.clock.uptime_ms()
            self.log(profile(wake, self._boot_ms, uptime_ms, self.uplink.last_delivery))
        if not stays:
            self.timekeeper.give_up()
            link.close()
            link.station.power_cycle()
            self.board.throttle(False)
            self.uplink.commands.leave(self)
            updates = self.uplink.updates
            if updates and updates.over(self, wake):
                self.restart()
        sleep_ms = grid.end(self.now_ms())
        if stays:
            self._deliver_next = True
            self._begin(self.input_has_changed())
            return 0
        if self.signals:
            self.signals.step(None)
        self._wake = None
        self.sleeping = True
        self.log("asleep for %.1f s" % (sleep_ms / 1000))
        return sleep_ms

    # What a wake asks for -----------------------------------------------------------------------

    def collected(self, fields, delivers):
        """A reading was taken; whether it is to leave at once. delivers: it leaves in any case."""
        alarms, watch = self._alarms, self.watch
        urgent = alarms.check(fields) if alarms else []
        if watch:
            urgent += watch.collected()
        if urgent:
            self.log("alarm: %s" % ", ".join(urgent))
            self._urgent = True
        leaves = delivers or (bool(urgent) and self._may_deliver)
        if leaves and alarms:
            alarms.delivered(fields)
        return leaves

    def delivered(self):
        """All that waited has arrived."""
        self.grid.delivered(self._next_lead())
        self._urgent = False
        self.listened[1] += 1

    def _ahead_ms(self):
        """By how much less than an interval lies between a grid's first two readings."""
        self.sampler.now()
        return self.clock.uptime_ms() - self.sampler.next_ms

    def _gather(self):
        """How many readings the next delivery waits for."""
        settings, pace = self.settings, self.link.pace
        count = settings["deliver_every"]
        self.grid.deliver_every = pace.gather(settings, count) if pace else count

    def _next_lead(self):
        return self.grid.next_lead(self.sampler.phase, not self.listened[1])

    def input_has_changed(self):
        """Whether an input has changed that is to be published now."""
        return bool(self.watch) and not self.watch.due_ms()

    def step_trial(self):
        """See a change of settings through that is on trial."""
        trial = self.trial
        # Its five minutes pass asleep as well: so many wakes must have come to nothing, too.
        if (
            trial
            and trial.is_open
            and (self.link.is_up or self.grid.failed >= trial.wakes)
            and trial.step(self)
        ):
            self.restart()

    def step_clock(self):
        """Step the timekeeper. If it has set the clock, what was planned on that moves along."""
        timekeeper = self.timekeeper
        due_ms = timekeeper.step()
        step_ms, timekeeper.stepped_ms = timekeeper.stepped_ms, 0
        if step_ms and self.board.retained_bytes:
            self.grid.clock_stepped(step_ms)
            if self.watch:
                self.watch.moved(step_ms)
        return due_ms

    def limit_ms(self):
        """How long after its reading a wake may go on."""
        trial = self.trial
        least_s = trial.awake_s if trial and trial.is_open else 0
        return max(self.settings["awake_limit_s"], least_s) * 1000

    def stays(self):
        """Whether a command keeps the node awake and connected."""
        return self.clock.uptime_ms() < self.stay_awake_until_ms

    # What commands ask for ----------------------------------------------------------------------

    def apply(self, key, value):
        """Put a setting into force that needs no restart."""
        settings, grid, sampler = self.settings, self.grid, self.sampler
        settings[key] = value
        grid.sample_ms = sampler.interval_ms = settings["sample_s"] * 1000
        if key == "sample_s":
            grid.next_ms -= self._ahead_ms()  # Others may be told the same.
        self._gather()

    def sample_now(self):
        """Wake again at once after this wake's end."""
        self.grid.sample_now(self.now_ms())

    def deliver_now(self):
        """Deliver with the next reading, however few wait."""
        self._deliver_next = True

    def publish_health(self):
        """Publish `…/health` now."""
        more = {"short_sleeps": self.board.short_sleeps}
        if self.watch:
            more.update(self.watch.report())
        self.uplink.publish_health(self, more)

    # What the link asks for ---------------------------------------------------------------------

    def may_restart(self):
        """See `Link`."""
        return self.uplink.is_safe()

    def connect(self):
        """See `Link`. The state tells that the node sleeps, and until when, or for how long."""
        # What comes on this connection is for the next: its state is told first.
        self._gather()
        status = {"state": self.state.decode()}
        count = self.grid.deliver_every - self._next_lead()
        left_s = (self.grid.reading_due_ms(count) - self.now_ms()) // 1000
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
        self._wake.open_ms = self.clock.uptime_ms()
        if not self._had_lease:
            self._lease_at_ms = self.now_ms()

    def closed(self):
        """See `Link`. Nobody knows whether the last report has arrived: the next follows soon."""
        self._next_health_ms = 0
        self.uplink.closed()

    def work(self):
        """Deliver what waits, and do what was asked for; milliseconds until there is more."""
        if self.uplink.commands.queue:
            self._wake.heard()
        return 0 if self.uplink.step(self) else _WORK_MS


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

    watch = Watch(board, _planned_by(board, clock), sensors, log, kept or {})
    return watch, watch.sensors


def _alarms(sensors, kept):
    """The alarms of the sensors' fields; None if there is none."""
    if not [one for one in sensors if one["alarms"]]:
        return None
    from firmware.duty_cycle.alarms import Alarms, limits_of

    return Alarms(limits_of(sensors), kept)


def _battery(board, settings):
    """(the policy for a low battery or None, supply_mv() of the board or of its divider)."""
    if not settings["low_battery"]:
        return None, board.supply_mv
    from firmware.duty_cycle.battery_policy import configured

    return configured(board, settings)
