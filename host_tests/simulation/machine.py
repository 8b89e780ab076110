"""One board, its lives and its power: everything of a node that outlasts a boot."""

import json
import random
from typing import TYPE_CHECKING, Any

from fakes.conditions import Conditions
from fakes.connection import Connection
from fakes.flash import FakeFlash, Operation, PowerCut
from fakes.world import Life, NodeTime
from firmware import app
from firmware.clock import Clock
from firmware.config.check import check
from firmware.duty_cycle import rtc_memory
from firmware.log import Log
from firmware.readings import loss_counts
from simulation import segments
from simulation.battery import Battery
from simulation.board import SimulatedBoard
from simulation.checks import Checks
from simulation.endings import Bitten, Restarted, Slept, Violation
from simulation.ledger import Ledger
from simulation.orders import Orders
from simulation.pins import Pins
from simulation.radio import AccessPoint, SimulatedRadio
from simulation.scenario import NodeScenario
from simulation.updates import Updates

if TYPE_CHECKING:
    from simulation.run import Run

_RESET_US = 300_000


class Machine:
    """Boots, runs until something ends the boot, and boots again."""

    def __init__(self, run: "Run", scenario: NodeScenario) -> None:
        self.run = run
        self.scenario = scenario
        self.name = scenario.name
        self.world = run.world
        self.rng = random.Random(f"{scenario.name} {run.scenario.seed}")
        self.flash = FakeFlash(scenario.flash_bytes, self.rng, scenario.harsh)
        self.flash.files["config.json"] = json.dumps(scenario.config).encode()
        self._settings: dict[bytes, dict[str, Any]] = {}  # of each config.json that was met
        self.stack = run.net.node(scenario.name, scenario.port)
        self.access_point = AccessPoint()
        self.radio = SimulatedRadio(self.world, self.stack, self.access_point, self.rng)
        self.time = self._clock_from(0)
        self.conditions = Conditions(2.0)
        self.cut_next: str | None = None
        self.sensor_error: Exception | None = None
        self.sensor_stall_ms = 0
        self.hanging = False
        self.hung_us = 0  # in look-ups and sensors: waits that no firmware can bound
        self.ledger = Ledger(self.name, self._dropped, run.scenario.personality.in_order)
        self.orders = Orders(self)
        self.battery = Battery(self)
        self.updates = Updates(self) if run.scenario.updates else None
        self.life: Life = self.world.main
        self.node: Any = None
        self.retained = b""
        self.pins = Pins(self.world)
        self.boots = self.wakes = self.bites = self.restarts = self.crashes = 0
        self.power_failures = 0
        self.read_alone = 0
        self.longest_wait_ms = 0
        self.settled_us: int | None = None
        self.answers = False  # a command, since the faults ended
        self._dropped_before = 0
        self._running = False
        self._powered = True
        self._board: SimulatedBoard | None = None
        self._resolve = self.stack.socket.getaddrinfo
        self.stack.socket.getaddrinfo = self._look_up

    # -- its lives -----------------------------------------------------------------------------

    def live(self) -> None:
        """Boot after boot, until the run ends."""
        cause = "power-on"
        while True:
            pause_us = _RESET_US
            try:
                if not self._powered:
                    self.world.wait_until(None, lambda: self._powered)
                self._start(cause)
                self._boot(cause)
            except PowerCut:
                cause = "power-on"
            except Restarted:
                self.restarts += 1
                cause = "hard"
            except Bitten:
                self.bites += 1
                cause = "watchdog"
            except Slept as sleep:
                cause = "deep-sleep"
                pause_us = sleep.duration_ms * 1000
            self._end_boot(cause)
            self.world.wait_until(
                self.world.now_us + pause_us, lambda: not self._powered or self.pins.ends_sleep()
            )
            if not self._powered:
                cause = "power-on"

    def _start(self, cause: str) -> None:
        self._running = True
        if cause == "power-on":
            self._forget()
        self.flash.power_on()
        self.pins.begin_boot()
        self.stack.power_on(radio_up=False)
        self.time.restart_ticks(self.scenario.ticks_ms)
        self.boots += cause != "deep-sleep"
        self.wakes += cause == "deep-sleep"

    def _forget(self) -> None:
        """RTC memory and the real-time clock are gone with the power."""
        self.time.set_unix_s(self.time.epoch_s)
        if self.retained:
            on_flash = segments.keys(self.flash.files)
            records = [one for one in self._in_rtc() if segments.key(one) not in on_flash]
            self.ledger.power_lost(records)
            self.retained = b""

    def finish(self) -> None:
        """The run is over."""
        kept = self._kept()
        node = self.node
        if node is not None:
            kept.update(segments.key(record) for record in node.outbox._ram)
            wait_ms = node.link.session.wire.longest_wait_ms
            self.longest_wait_ms = max(self.longest_wait_ms, wait_ms)
        self.ledger.finish(kept)

    def _kept(self) -> set[tuple[int, int]]:
        """What would survive a reset."""
        return segments.keys(self.flash.files) | {segments.key(one) for one in self._in_rtc()}

    def _in_rtc(self) -> list[bytes]:
        return rtc_memory.unpack(self.retained)[1]

    def _boot(self, cause: str) -> None:
        """What `firmware.app.run` does, with the parts of the simulation."""
        if self.updates:
            self.updates.start(cause)
        settings = self._load_settings()
        if self.updates and self.updates.on_trial:
            settings["watchdog_s"] = settings["watchdog_s"] or app._TRIAL_WATCHDOG_S
        board = self._board = SimulatedBoard(self, cause)
        clock = Clock(board.time, board.clock_is_set())
        state: dict = {}
        records: Any = ()
        if board.retained_bytes and board.retained():
            state, records, uptime_ms = rtc_memory.recall(board, clock)
            clock = Clock(board.time, board.clock_is_set(), uptime_ms)
        log = Log(clock, self._line)
        feed = board.feed if settings["watchdog_s"] else None
        node = None
        try:
            if state:
                known = None if "settings" in state else settings
                self._read_alone(board, clock, known, log, state, records)
            idle = self._fed if feed else None
            node = app.build(board, clock, settings, log, self.flash, idle, state, records)
            self._watch(node, state)
            if self.updates:
                self.updates.built(node)
            if feed:
                board.start_watchdog(int(settings["watchdog_s"] * 1000))
            app.loop(node, clock, feed, self.flash)
        except MemoryError as error:
            self.crashes += 1
            self.orders.forgot()
            app.crashed(error, node, board, clock, log, self.flash)
        except Exception as error:
            raise Violation(f"{self.name}: {error!r} escaped") from error

    def _read_alone(self, *parts: Any) -> None:
        """A wake without a node: what it adds to RTC memory is accepted like any reading."""
        records = parts[-1]
        known = len(records)
        try:
            rtc_memory.measure(*parts)
        finally:
            self.read_alone += len(records) > known
            for record in records[known:]:
                self.ledger.trying(record)
                self.battery.accepted(self.ledger.accepted(), record)

    def _load_settings(self) -> dict[str, Any]:
        """Of config.json as it stands on flash; the node changes some while it runs."""
        data = self.flash.files["config.json"]
        settings = self._settings.get(data)
        if settings is None:
            settings, errors = self.check_settings(json.loads(data))
            if settings is None or errors:
                raise Violation(f"{self.name}: config.json is wrong: {errors}")
            self._settings[data] = settings
        return settings.copy()

    def check_settings(self, config: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
        return check(config, self.scenario.secrets)

    def _watch(self, node: Any, state: dict[str, Any]) -> None:
        self.node = node
        # A wake goes on from the count of the wakes before it, a boot from that of a restart.
        kept = loss_counts.counts(self.flash.files.get(loss_counts.PATH, b""))
        self._dropped_before -= (state["lost"] if state else kept)[0]
        self._checks = Checks(self, node)
        node.step = self._checks.step
        if self.boots == 1:
            node.link.session.pid = self.scenario.packet_id
        outbox, ledger = node.outbox, self.ledger
        if not state:
            ledger.begin_boot(node.identity.boot)
        ledger.check_flash(self._kept())
        put = outbox.put

        def checked_put(record: bytes) -> bool:
            ledger.trying(record)
            kept = put(record)
            if kept:
                self.battery.accepted(ledger.accepted(), record)
            else:
                ledger.refused()
            return kept

        outbox.put = checked_put
        session, receive = node.link.session, node.link.session.on_message
        inbox = node.uplink.commands

        def checked_receive(topic: bytes, payload: bytes, retained: bool) -> None:
            refused = inbox.overflow
            receive(topic, payload, retained)
            if inbox.overflow == refused:
                self.orders.received(topic, payload, retained)

        session.on_message = checked_receive

    def watch_commands(self, made: Any) -> None:
        """The node has loaded what does its commands."""
        answer, keep = made._answer, made.keep

        def checked_answer(payload: bytes | None, retained: bool) -> dict[str, Any]:
            found = answer(payload, retained)
            self.orders.did(found)
            return found

        def checked_keep() -> bool:
            kept = keep()
            if not kept:
                self.orders.forgot()
            return kept

        made._answer, made.keep = checked_answer, checked_keep

    def _end_boot(self, cause: str) -> None:
        """Nothing of a boot survives but what is on flash."""
        self.world.note(self.name, "ends", cause)
        if cause in ("power-on", "watchdog"):
            self.orders.forgot()
        self._running = False
        if self._board is not None:
            self._board.power_off()
        self.stack.power_off()
        self.radio.power_off()
        self.pins.begin_sleep()
        if self.flash.powered:
            self.flash.power_off()
        self.flash.decide = None
        node, self.node = self.node, None
        if node is None:
            return
        outbox = node.outbox
        self._note_lost(outbox, self._kept())
        self._dropped_before += outbox.dropped
        self.longest_wait_ms = max(self.longest_wait_ms, node.link.session.wire.longest_wait_ms)

    def _note_lost(self, outbox: Any, kept: set[tuple[int, int]]) -> None:
        in_ram = [record for record in outbox._ram if segments.key(record) not in kept]
        gone = self.ledger.power_lost(in_ram)
        # Where the step began with everything on flash, nothing may be in RAM alone at its end.
        bound = self._checks.wrote_through and outbox.write_through and outbox._directory
        excused = not bound or outbox._flash_errors
        if gone and not excused:
            raise Violation(f"{self.name}: {gone} were in RAM alone, and are lost")

    # -- what the firmware meets ---------------------------------------------------------------

    def _line(self, line: str) -> None:
        self.world.note(self.name, line)

    def _fed(self) -> None:
        self._checks.idle()
        self._board.feed()

    def _look_up(self, *arguments: Any) -> list[tuple]:
        start_us = self._begin_hang()
        try:
            return self._resolve(*arguments)
        finally:
            self._end_hang(start_us)

    def measure(self) -> float:
        """A sensor's answer: it may fail, or take long."""
        if self.sensor_stall_ms:
            start_us = self._begin_hang()
            try:
                self.world.sleep_ms(self.sensor_stall_ms)
            finally:
                self._end_hang(start_us)
        if self.sensor_error is not None:
            raise self.sensor_error
        return self.rng.randrange(-200, 600) / 10

    def _begin_hang(self) -> int:
        self.hanging = True
        return self.world.now_us

    def _end_hang(self, start_us: int) -> None:
        self.hanging = False
        took_us = self.world.now_us - start_us
        self.hung_us += took_us

    def bitten(self) -> None:
        """The watchdog fired."""
        if not self.hanging:
            raise Violation(f"{self.name}: the watchdog bit, and nothing hung")
        self.world.interrupt(Bitten(), self.life)

    def stepped(self) -> None:
        """After each step since the faults ended: is everything delivered, does it answer?"""
        node = self.node
        if node.link.is_up and not node.outbox.depth:
            if self.settled_us is None:
                self.settled_us = self.world.now_us
            if not self.answers:
                self.answers = self.orders.satisfied() and self._is_updated()
                if self.answers:
                    self.run.settled()

    def _is_updated(self) -> bool:
        personality = self.run.scenario.personality
        if not (self.updates and personality.hears and personality.tells and personality.updates):
            return True
        # A broker that ended three connections at this topic is not asked for it for a day, and
        # health names it. So is one whose connections somebody else had cut just then.
        if f"fieldpost/{self.name}/update/offer" in self.node.link.session.refused:
            return True
        return self.updates.satisfied()

    def _dropped(self) -> int:
        return self._dropped_before + (self.node.outbox.dropped if self.node else 0)

    def _clock_from(self, rtc_s: float) -> NodeTime:
        scenario = self.scenario
        return NodeTime(
            self.world, scenario.ticks_ms, scenario.epoch_year, rtc_s, scenario.drift_ppm
        )

    # -- faults --------------------------------------------------------------------------------

    def connections(self) -> list[Connection]:
        """Those that are open."""
        sockets = self.stack.open_sockets
        return [socket.connection for socket in sockets if socket.connection is not None]

    def conditions_for_next(self) -> Conditions:
        """What the next connection meets."""
        conditions = self.conditions
        if self.cut_next is not None and self.rng.random() >= 0.3:
            conditions = self.run.cut_conditions(conditions, self.cut_next, self.rng)
        return self.updates.conditions(conditions) if self.updates else conditions

    def cut_power(self) -> None:
        """The power fails now."""
        self.power_failures += 1
        self._powered = False
        if self._running:
            self._running = False
            self.flash.power_off()
            self.world.interrupt(PowerCut("power cut"), self.life)

    def restore_power(self) -> None:
        self.flash.decide = None
        self._powered = True

    def cut_at_operation(self, count: int, when: str) -> None:
        """The power fails at the `count`-th operation on flash from now."""
        left = count

        def decide(_operation: Operation) -> str | None:
            nonlocal left
            left -= 1
            if left:
                return None
            self.power_failures += 1
            self._powered = False
            self._running = False
            return when

        self.flash.decide = decide

    def spoil_flash(self) -> None:
        """Some bytes of one file are not what they were. The power is off."""
        names = sorted(name for name in self.flash.files if name.endswith((".seg", ".count")))
        if not names:
            return
        before = segments.keys(self.flash.files)
        name = self.rng.choice(names)
        data = bytearray(self.flash.files[name])
        for _ in range(self.rng.randint(1, 3) if data else 0):
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        self.flash.files[name] = bytes(data)
        self.ledger.spoil(before - segments.keys(self.flash.files))
