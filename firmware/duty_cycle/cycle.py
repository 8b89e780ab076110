"""The duty cycle of a battery node: wake, measure, deliver when due, sleep.

The order saves charge. The supply is read before the radio draws from it; the sensors start before
the radio, so that a conversion lies within the join; readings, state and health leave in the
segment of CONNECT; the radio is off before the board sleeps. Whatever a wake could not deliver
within its limit waits for a later one.

`asleep` takes the place of `online`, and there is no will: a node that sleeps has not vanished,
and one that did not come back is known by the time in its last status.
"""

import json

from micropython import const

from firmware.duty_cycle.grid import Grid
from firmware.node import Node

# After a delivery: for an answer from the time server, and for commands that waited at the broker.
_LINGER_MS = const(3000)
# A broker sends the commands that it has kept before it answers what this wake sends. So a command
# that is not here this long after the last answer is not there.
_LISTEN_MS = const(20)
# Kept awake by command: how soon the next reading's time is noticed.
_AWAKE_STEP_MS = const(500)
# Sensors that may send bytes while the node waits for their reading. A light sleep stops the UART
# that would receive them, so the node stays awake in that wait.
_SENDS_WHILE_MEASURING = ("pms5003", "driver")


class Cycle(Node):
    """A node in the mode `duty_cycle`; see `Node` for what it is made of.

    `step` returns milliseconds until there is more to do; if `sleeping` is True after it, these
    are to be slept with the board's own sleep, and `step` called again when it returns.
    state: what `freeze` gave before a deep sleep, {} after a cold start.
    """

    sleeping = False
    state = b"asleep"

    def __init__(self, board, alarms, watch, state, *parts):
        super().__init__(*parts)
        settings = self.settings
        self._profile = settings["profile"]
        self._lease_ms = settings["lease_s"] * 1000
        self.link.station.keeps_lease = self._lease_ms > 0
        self._lease_at_ms = state.get("lease_at", 0)
        self._board = board
        self._alarms = alarms
        # firmware/duty_cycle/watched_pins.py, if a pin is to be minded while it sleeps
        self.watch = watch
        senders = [one for one in settings["sensors"] if one["type"] in _SENDS_WHILE_MEASURING]
        self._sleeps_in_waits = board.rests and not senders
        self.awake_pin = None  # held low: does not sleep
        self.sleep = None  # sleep(sleep_ms), set with the board (firmware/duty_cycle/sleep.py)
        self.boot_ms = 0  # from the board's start to this object
        self._limit_ms = settings["awake_limit_s"] * 1000
        self._battery = None
        low = settings["low_battery"]
        if low:
            from firmware.duty_cycle.battery_policy import BatteryPolicy

            self._battery = BatteryPolicy(low["below_mv"], low["stretch"], low["stop_mv"])
        self.grid = Grid(
            settings["sample_s"] * 1000,
            settings["deliver_every"],
            int(settings["retry"]["cap_s"] * 1000),
            state.get("next", self.clock.rtc_ms()),
            state.get("deliver", 0),
            state.get("failed", 0),
        )
        self._next_health_ms = state.get("health", 0)
        timekeeper = self.timekeeper
        timekeeper.due_ms, timekeeper.retry_ms = state.get("ntp", (0, timekeeper.retry_ms))
        # Each question costs radio: what does not answer is not asked for ever at each wake.
        timekeeper.retry_max_ms = settings["ntp"]["interval_s"] * 1000
        timekeeper.on_step = self._clock_stepped
        self._first = not state
        self._urgent = state.get("urgent", False)
        board.short_sleeps = state.get("short", 0)
        if watch:
            watch.error = state.get("pin_error")
        # What the outboxes before this one lost: the counts go on for the whole boot.
        dropped, corrupt, refused = state.get("lost", (0, 0, 0))
        self.outbox.dropped += dropped
        self.outbox.corrupt += corrupt
        self.outbox.refused += refused
        self._dropped = dropped
        self._begin(state.get("input", False))

    def step(self):
        """One bounded piece of work; milliseconds until the next is due."""
        if self.sleeping:
            self.sleeping = False
            self._begin(self._is_told())
        # Not before that: a sample that is due must not wait for the radio to start.
        now_ms = self.clock.uptime_ms()
        if self._collect_at_ms is not None:
            if now_ms < self._collect_at_ms:
                due_ms = self._collect_at_ms - now_ms
                if self._delivering:
                    return min(due_ms, self.link.step())
                self.rest = self._light_sleep if self._sleeps_in_waits else None
                return due_ms
            due_ms = self.sampler.again()
            if due_ms:
                self._collect_at_ms = self.clock.uptime_ms() + due_ms
                return 0
            self._collect()
        self.rest = None
        if self._delivering:
            due_ms = self._deliver(now_ms)
            if not self._is_done():
                return due_ms
        return self._finish()

    def freeze(self):
        """What the next wake must know, as a dict for JSON; no reading is part of it."""
        outbox = self.outbox
        return {
            "boot": self.identity.boot,
            "seq": self.identity.seq,
            "uptime": self.clock.uptime_ms(),
            "rtc": self.clock.rtc_ms(),
            "next": self.grid.next_ms,
            "interval": self.grid.interval_ms(),
            "deliver": self.grid.retry_at_ms,
            "failed": self.grid.failed,
            "health": self._next_health_ms,
            "lease_at": self._lease_at_ms,
            "ntp": (self.timekeeper.due_ms, self.timekeeper.retry_ms),
            "alarms": self._alarms.state,
            "described": self.discovery.told if self.discovery else 0,
            "lost": (outbox.dropped, outbox.corrupt, outbox.refused),
            # See `full` and `deliver_now`: the next wake must not wait for its batch either.
            "urgent": self._urgent or self._first or outbox.dropped != self._dropped,
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
        supply_mv = self._board.supply_mv()
        battery, grid = self._battery, self.grid
        grid.begin(is_extra, battery.stretch(supply_mv) if battery else 1)
        # The radio draws the most: whether the supply carries it is known before it starts.
        self._may_deliver = not battery or battery.may_deliver(supply_mv)
        may_try = self._may_deliver and grid.may_try(self.clock.rtc_ms())
        wait_ms = self.sampler.begin()
        self._collect_at_ms = self.clock.uptime_ms() + wait_ms
        # An outbox that drops readings cannot wait for its batch to be complete.
        full = self.outbox.dropped != self._dropped
        self._dropped = self.outbox.dropped
        due = grid.is_complete(self.outbox.depth) or self._first or full or self._urgent
        self._delivering = due and may_try
        self._first = False
        self._pace()
        station = self.link.station
        if station.lease and self.clock.rtc_ms() - self._lease_at_ms > self._lease_ms:
            station.lease = None
        self._had_lease = bool(station.lease)
        # The radio may join while the sensors convert; CONNECT waits for the reading.
        self.link.hold = True

    def _collect(self):
        self._collect_at_ms = None
        self.link.hold = False
        fields = self.sampler.finish()
        urgent = self._alarms.check(fields)
        if self.watch:
            urgent += self.watch.collected()
        if urgent:
            self._log("alarm: %s" % ", ".join(urgent))
            self._urgent = True
            # A threshold is worth a try even while failed deliveries are being spaced out.
            if self._may_deliver and not self._delivering:
                self._delivering = True
                self._pace()  # Only now: in a wake that delivers anyway the radio is on by now.
        if self._delivering:
            self._alarms.delivered(fields)
        self._sampled_ms = self.clock.uptime_ms()

    def _deliver(self, now_ms):
        due_ms = self.link.step()
        self._step_trial()
        if self.link.station.is_up():
            if self._up_ms is None:
                self._up_ms = now_ms
            if self._catching_up is None:
                due_ms = min(due_ms, self.timekeeper.step())
        if self.signals:
            due_ms = min(due_ms, self.signals.step(self.mood()))
        left_ms = self._sampled_ms + self._limit_ms - now_ms
        if self._stays():
            left_ms = _AWAKE_STEP_MS  # The limit is for wakes that nobody asked to last.
        return max(min(due_ms, left_ms), 0)

    def _is_done(self):
        now_ms = self.clock.uptime_ms()
        if self.link.failures != self._failures:
            return True
        if self.link.is_up and self._done_ms is None and not self._owes():
            self._done_ms = now_ms
            self.grid.delivered()
            self._urgent = False
        if self._stays():
            # Until the next reading is due, which is then taken without a sleep.
            return self.clock.rtc_ms() >= self.grid.reading_due_ms(1) or self._is_told()
        # From the reading on: CONNECT waits for it, however slow the sensors are.
        if now_ms - self._sampled_ms >= self._limit_ms:
            self._log("trying for %d s: the rest must wait" % (self._limit_ms // 1000))
            return True
        if self._done_ms is None or self._owes():
            return False
        after_ms = now_ms - self._done_ms
        if self.commands and (after_ms < _LISTEN_MS or not self.commands.is_idle()):
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
            self.grid.not_delivered(self.clock.rtc_ms())
            station.lease = None  # Perhaps somebody else has the address by now.
        if self._profile:
            self._log_profile()
        if not stays:
            self.timekeeper.give_up()
            self.link.close()
            station.power_cycle()
            self._board.throttle(False)
            if self.commands:
                self.commands.leave()
        self._delivering = False
        sleep_ms = self.grid.end(self.clock.rtc_ms())
        if stays:
            self._first = True
            self._begin(self._is_told())
            return 0
        if self.signals:
            self.signals.step(None)
        self.sleeping = True
        self._log("asleep for %.1f s" % (sleep_ms / 1000))
        return sleep_ms

    def _is_told(self):
        """Whether an input has changed that is to be told of now."""
        return bool(self.watch) and not self.watch.due_ms()

    def _pace(self):
        """Whatever waits in this wake waits on a slow clock; a TLS handshake works."""
        if not self.link.is_up:
            self._board.throttle(not (self._delivering and self.link.security))

    def _step_trial(self):
        # Its five minutes pass asleep as well: so many wakes must have come to nothing, too.
        if self.trial and (self.link.is_up or self.grid.failed >= self.trial.wakes):
            super()._step_trial()

    def _light_sleep(self, duration_ms):
        self._board.light_sleep(duration_ms, self.watch)

    def _owes(self):
        return bool(self.outbox.depth) or self.link.session.waits()

    def _stays(self):
        """Whether a command keeps the node awake and connected."""
        return self.clock.uptime_ms() < self.stay_awake_until_ms

    def apply(self, key, value):
        """See `Node.apply`."""
        super().apply(key, value)
        self.grid.sample_ms = self.settings["sample_s"] * 1000
        self.grid.deliver_every = self.settings["deliver_every"]
        self._limit_ms = self.settings["awake_limit_s"] * 1000

    def sample_now(self):
        """Wake again at once after this wake's end."""
        self.grid.sample_now(self.clock.rtc_ms())

    def deliver_now(self):
        """Deliver with the next reading, however few wait."""
        self._first = True

    def _clock_stepped(self, step_ms):
        """The real-time clock was set: what was planned on it moves along."""
        self.grid.clock_stepped(step_ms)
        if self.watch:
            self.watch.moved(step_ms)

    # In place of Node's --------------------------------------------------------------------------

    def status(self):
        """Payload of `…/status`: that the node sleeps, and until when, or for how long."""
        until_ms = self.grid.reading_due_ms(self.grid.deliver_every)
        report = {"state": self.state.decode()}
        if self.clock.unix_s() is None:
            report["for_s"] = (until_ms - self.clock.rtc_ms()) // 1000
        else:
            report["until"] = self.clock.unix_s() + (until_ms - self.clock.rtc_ms()) // 1000
        return json.dumps(report).encode()

    def _on_up(self):
        self._open_ms = self.clock.uptime_ms()
        if not self._had_lease:
            self._lease_at_ms = self.clock.rtc_ms()

    def _ride(self):
        super()._ride()
        if self.clock.uptime_ms() >= self._next_health_ms:
            self.publish_health()
            self._next_health_ms = self.clock.uptime_ms() + self._health_ms

    def _report(self):
        report = super()._report()
        report["short_sleeps"] = self._board.short_sleeps
        if self.watch:
            report["pin_wakes"], report["pin_storms"] = self.watch.counts[1:]
            if self.watch.error:
                report["pin_error"] = self.watch.error
        return report

    def _work(self):
        if self.delivery.pump():
            return 0
        self._note_delivery()
        self._settle()
        if self.discovery:
            self.discovery.step()
        if self.commands and self.commands.step():
            return 0
        return _LISTEN_MS

    def stay_awake(self, duration_ms):
        """In place of a sleep: nothing is done, but the console answers and RAM stays."""
        self._log("kept awake by its pin")
        while duration_ms > 0 and not self._is_told():
            slice_ms = min(duration_ms, 500)
            self._board.feed()
            self.clock.sleep_ms(slice_ms)
            duration_ms -= slice_ms

    def _log_profile(self):
        times = {"boot_ms": self.boot_ms, "sample_ms": self._sampled_ms - self._woke_ms}
        report = self.last_delivery
        if self._delivering:
            # A wake that gave up counts what it spent on trying.
            times["join_ms"] = (self._up_ms or self.clock.uptime_ms()) - self._woke_ms
            times["readings"] = 0
        if self._done_ms is not None and report:
            # CONNECT waits for the reading, which is the sensors' time and not the network's.
            times["connect_ms"] = self._open_ms - max(self._up_ms, self._sampled_ms)
            times["deliver_ms"] = self._done_ms - self._open_ms
            times["readings"] = report["readings"]
        self._log("profile " + json.dumps(times))
