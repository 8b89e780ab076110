"""One wake of a node that sleeps: from the start of its sensors until its radio may go off.

The order saves charge. The sensors start before the radio, so that they convert while it joins;
readings, state and health leave in the segment of CONNECT. Whatever is not acknowledged within the
wake's limit waits for a later one.
"""

from micropython import const

# After a delivery: for an answer from the time server.
_LINGER_MS = const(3000)
# Most brokers send the commands that they have kept before they answer what this wake sends, the
# SUBSCRIBE above all: a command that is not here soon after the last answer is not there.
_LISTEN_MS = const(20)
# Others send them later, and nothing marks the last of them. How late is learned from the first
# command that comes. Until then one delivery in so many listens this long.
_LISTEN_LONG_MS = const(500)
_LONG_EVERY = const(16)
# Kept awake by command: how soon the next reading's time is noticed.
_AWAKE_STEP_MS = const(500)


class Wake:
    """node: the DutyCycle, of which it uses the parts. delivers: whether this wake is to deliver.
    has_read: whether its reading was taken before there was a node (reading_wake.py).

    `measures_alone`: it waits for its sensors, with the radio off. `began_ms`, `sampled_ms`,
    `up_ms`, `open_ms`, `done_ms`: uptimes of its stations, None for one that it has not come to;
    `heard_ms`: of the last command, or 0.
    """

    def __init__(self, node, delivers, has_read=False):
        self._node = node
        self.delivers = delivers
        self.measures_alone = False
        self.began_ms = node.clock.uptime_ms()
        self.sampled_ms = self.up_ms = self.open_ms = self.done_ms = None
        self.heard_ms = 0
        self._failures = node.link.failures
        if has_read:
            self.sampled_ms = self.began_ms
        else:
            wait_ms = node.sampler.begin()
            self._collect_at_ms = node.clock.uptime_ms() + wait_ms
        self._pace()
        # The radio may join while the sensors convert; CONNECT waits for the reading.
        node.link.hold = not has_read

    def step(self):
        """One bounded piece of work; milliseconds until the next is due; None: it is over."""
        node = self._node
        now_ms = node.clock.uptime_ms()
        if self.sampled_ms is None:
            # Before the radio's turn: a sample that is due must not wait for it to start.
            due_ms = self._collect_at_ms - now_ms
            if due_ms > 0:
                self.measures_alone = not self.delivers
                return min(due_ms, node.link.step(node)) if self.delivers else due_ms
            due_ms = node.sampler.again()
            if due_ms:
                self._collect_at_ms = node.clock.uptime_ms() + due_ms
                return 0
            self._collect()
        self.measures_alone = False
        if self.delivers:
            due_ms = self._deliver(now_ms)
            if not self._is_done():
                return due_ms
        return None

    def _collect(self):
        node = self._node
        node.link.hold = False
        # A threshold is worth a try even while failed deliveries are being spaced out.
        if node.collected(node.sampler.finish(), self.delivers) and not self.delivers:
            self.delivers = True
            self._pace()  # Only now: in a wake that delivers anyway the radio is on by now.
        self.sampled_ms = node.clock.uptime_ms()

    def _deliver(self, now_ms):
        node, link = self._node, self._node.link
        due_ms = link.step(node)
        node.step_trial()
        if link.station.is_up():
            if self.up_ms is None:
                self.up_ms = now_ms
            if not node.uplink.catching_up:
                due_ms = min(due_ms, node.step_clock())
        if node.signals:
            due_ms = min(due_ms, node.signals.show(link, node.state))
        left_ms = self.sampled_ms + node.limit_ms() - now_ms
        if node.stays():
            left_ms = _AWAKE_STEP_MS  # The limit is for wakes that nobody asked to last.
        return max(min(due_ms, left_ms), 0)

    def _is_done(self):
        node, link = self._node, self._node.link
        now_ms = node.clock.uptime_ms()
        has_failed = link.failures != self._failures
        owes = node.outbox.depth or link.session.waits()
        # What it failed at without a reading waiting can wait, and keeps no reading waiting.
        all_gone = not node.outbox.depth if has_failed else link.is_up and not owes
        if all_gone and self.done_ms is None:
            self.done_ms = now_ms
            node.delivered()
        if has_failed:
            return True
        if node.stays():
            # Until the next reading is due, which is then taken without a sleep.
            return node.now_ms() >= node.grid.reading_due_ms(1) or node.input_has_changed()
        # From the reading on: CONNECT waits for it, however slow the sensors are.
        if now_ms - self.sampled_ms >= node.limit_ms():
            node.log("trying for %d s: the rest must wait" % (node.limit_ms() // 1000))
            return True
        if self.done_ms is None or owes:
            return False
        quiet_ms = now_ms - max(self.done_ms, self.heard_ms)
        uplink = node.uplink
        if quiet_ms < self._listen_ms() or not uplink.commands.is_idle():
            return False
        if uplink.updates and uplink.updates.works:
            return False
        return now_ms - self.done_ms >= _LINGER_MS or not node.timekeeper.is_asking()

    def _listen_ms(self):
        late_ms, count = self._node.listened
        if late_ms is None:
            return _LISTEN_LONG_MS if count % _LONG_EVERY == 1 else _LISTEN_MS
        return max(2 * late_ms, _LISTEN_MS)

    def heard(self):
        """A command has come."""
        node = self._node
        now_ms = node.clock.uptime_ms()
        late_ms = now_ms - (self.done_ms or now_ms)
        # Of one that comes later than that somebody thought just now.
        if not self.heard_ms and late_ms <= _LISTEN_LONG_MS:
            node.listened[0] = late_ms
        self.heard_ms = now_ms

    def _pace(self):
        """Whatever waits in this wake waits on a slow clock; a TLS handshake works."""
        link = self._node.link
        if not link.is_up:
            self._node.board.throttle(not (self.delivers and link.security))
