"""What must be true of a node after every one of its steps."""

from typing import TYPE_CHECKING, Any

from fakes.tls import BoardTls
from simulation.endings import Violation

if TYPE_CHECKING:
    from simulation.machine import Machine

# What a wait may take beyond its deadline, and what a step does beside waiting.
_SLACK_MS = 50
_STEPS_AT_ONCE_MAX = 5000
_IDLE_MS_MAX = 500
_OTHERS_MAX = 16


class Checks:
    """Wraps the node of one boot: call `step` in place of the node's own."""

    def __init__(self, machine: "Machine", node: Any) -> None:
        settings = machine.scenario.settings
        self._machine = machine
        self._step = node.step
        self._timeout_ms = int(settings["mqtt"]["timeout_s"] * 1000)
        # A handshake's arithmetic is in one piece, and no wait.
        self._slack_ms = _SLACK_MS + (BoardTls.WORK_MS if settings["mqtt"]["tls"] else 0)
        self._idle_us_max = (_IDLE_MS_MAX + self._slack_ms) * 1000
        # A step may poll to the deadline, and then flush to another one.
        self._step_us_max = (2 * self._timeout_ms + self._slack_ms) * 1000
        self._ram_max = settings["outbox"]["ram_readings"]
        self._segments_max = max(settings["outbox"]["flash_kib"] // 4, 1)
        self._window = settings["mqtt"]["window"]
        self._due_ms_max = max(settings["sample_s"], settings["health_s"], 3600) * 1000
        self._orders = machine.orders
        self._same_time = 0
        self._last_us = -1
        self.wrote_through = False
        self._world = machine.world
        self._fed_us = machine.world.now_us
        self._hung_us = machine.hung_us
        self._outbox, self._link = node.outbox, node.link
        self._session, self._wire = node.link.session, node.link.session.wire
        # A deadline from its own sending or from its turn, noticed by a step of two deadlines.
        self._unanswered_us_max = 3 * self._timeout_ms * 1000 + _SLACK_MS * 1000
        self._oldest: tuple[int, int, int] | None = None
        self._oldest_us = self._oldest_hung_us = 0
        self._waited_hung_us = machine.hung_us
        self._sockets, self._files = machine.stack.open_sockets, machine.flash.open_files

    def step(self) -> int:
        machine = self._machine
        world = self._world
        start_us = self._fed_us = world.now_us
        hung_us = self._hung_us = machine.hung_us
        self.wrote_through = self._outbox.write_through
        due_ms = self._step()
        now_us = world.now_us
        if now_us - start_us > self._step_us_max:
            took_us = now_us - start_us - (machine.hung_us - hung_us)
            if took_us > self._step_us_max:
                self._fail(f"a step took {took_us // 1000} ms")
        if now_us == self._last_us:
            self._same_time += 1
            if self._same_time > _STEPS_AT_ONCE_MAX:
                self._fail("steps on and on, and no time passes")
        else:
            self._same_time = 0
            self._last_us = now_us
        if not 0 <= due_ms <= self._due_ms_max:
            self._fail(f"the next step is due in {due_ms} ms")
        self._check_bounds()
        self._check_oldest()
        if self._orders._pending:
            self._orders.check()
        if machine.run.calm:
            machine.stepped()
        self._fed_us = now_us
        return due_ms

    def _check_oldest(self) -> None:
        """The oldest reading in flight on this connection is acknowledged in its time, whatever
        else is."""
        machine, link, ring = self._machine, self._link, self._session.in_flight
        if not (link.is_up and ring.sent):
            self._oldest = None
            return
        oldest = (ring.ids[ring.first], link.reconnects, link.failures)
        if oldest != self._oldest:
            self._oldest = oldest
            self._oldest_us, self._oldest_hung_us = self._world.now_us, machine.hung_us
            return
        waited_us = self._world.now_us - self._oldest_us
        if waited_us > self._unanswered_us_max:
            waited_us -= machine.hung_us - self._oldest_hung_us
            if waited_us > self._unanswered_us_max:
                self._fail(f"a reading waits {waited_us // 1000} ms to be acknowledged")

    def idle(self) -> None:
        """The idle hook of a node with a watchdog: how long was the wait before it?"""
        now_us = self._world.now_us
        if now_us - self._fed_us > self._idle_us_max:
            waited_us = now_us - self._fed_us - (self._machine.hung_us - self._hung_us)
            if waited_us > self._idle_us_max:
                self._fail(f"{waited_us // 1000} ms without a call of the idle hook")
        self._fed_us = now_us
        self._hung_us = self._machine.hung_us

    def _check_bounds(self) -> None:
        outbox, link, session = self._outbox, self._link, self._session
        in_ram = len(outbox._ram)
        if in_ram > self._ram_max:
            self._fail(f"{in_ram} readings in RAM, {self._ram_max} allowed")
        if in_ram and outbox.write_through and not outbox._flash_errors and outbox._directory:
            self._fail(f"{in_ram} readings in RAM alone, while they must go to flash")
        if len(outbox._starts) > self._segments_max:
            self._fail(f"{len(outbox._starts)} segments")
        if len(outbox._holes) > self._segments_max + 1:
            self._fail(f"{len(outbox._holes)} holes")
        ring = session.in_flight
        if not 0 <= ring.sent <= ring.count <= self._window:
            self._fail(f"{ring.count} in flight, {ring.sent} on this connection")
        held = session.careful.held if session.careful else ()
        if max(len(session.others), len(held), len(link.causes)) > _OTHERS_MAX:
            self._fail("a list grows")
        wait_ms = self._wire.longest_wait_ms
        if wait_ms > self._timeout_ms + self._slack_ms:
            # A sensor that was read within the wait may have hung.
            wait_ms -= (self._machine.hung_us - self._waited_hung_us) // 1000
            if wait_ms > self._timeout_ms + self._slack_ms:
                self._fail(f"a wait of {wait_ms} ms")
            self._wire.longest_wait_ms = wait_ms
        self._waited_hung_us = self._machine.hung_us
        # The session's, and the time server's.
        if len(self._sockets) > 2:
            self._fail(f"{len(self._sockets)} descriptors")
        # The outbox's, and of an update those that it is copied from and to.
        if len(self._files) > 4:
            self._fail(f"{len(self._files)} open files")

    def _fail(self, what: str) -> None:
        raise Violation(f"{self._machine.name}: {what}")
