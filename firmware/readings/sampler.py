"""Takes a reading whenever one is due, and puts it into the outbox."""

from micropython import const

from firmware.readings import record as reading
from firmware.readings.sensors import dumps

# The second reading is not closer than this to the first: some sensors want a pause.
_APART_MS = const(2000)


class Sampler:
    """Starts the sensors on a grid of `interval_ms`, collects them when they are ready, stores.

    clock: `uptime_ms`, `unix_s`. identity: boot and seq. `late`: points of the grid that passed
    while the node was held up. `errors`: name -> text of the sensors that failed the last time.
    `fields`: the names in the fullest reading so far. `next_ms`: uptime of the grid's next point.

    phase: of the node, from 0 to 2 ** 32. Nodes that begin in one moment take their first reading
    in it; their grids, and so their deliveries, lie apart by their phases.
    """

    def __init__(self, sensors, outbox, identity, clock, interval_ms, log, phase=0):
        self._sensors = sensors
        self._outbox = outbox
        self._identity = identity
        self._clock = clock
        self.interval_ms = interval_ms
        self._log = log
        self.phase = phase
        self.now()
        self._collect_at_ms = None
        self.taken = 0
        self.late = 0
        self.errors = sensors.errors
        self.fields = ()

    def step(self):
        """Start or collect, if due; milliseconds until the next of the two."""
        now_ms = self._clock.uptime_ms()
        if self._collect_at_ms is None:
            if now_ms < self.next_ms:
                return self.next_ms - now_ms
            due_ms = self.begin()
            # From here on, not from `now_ms`: to start takes its time.
            now_ms = self._clock.uptime_ms()
            self._collect_at_ms = now_ms + due_ms
        if now_ms < self._collect_at_ms:
            return self._collect_at_ms - now_ms
        due_ms = self.again()
        if due_ms:
            self._collect_at_ms = self._clock.uptime_ms() + due_ms
            return due_ms
        self._collect_at_ms = None
        # The next sample keeps to the grid of the first, however late this one is.
        missed = max((now_ms - self.next_ms) // self.interval_ms, 0)
        self.late += missed
        self.next_ms += (missed + 1) * self.interval_ms
        self.finish()
        return max(self.next_ms - self._clock.uptime_ms(), 0)

    def set_interval(self, interval_ms):
        """A new grid, which begins now."""
        self.interval_ms = interval_ms
        self.now()
        self.next_ms += interval_ms

    def now(self):
        """Take the next reading at the next step. The grid begins anew, earlier by the phase."""
        apart_ms = max(self.interval_ms - _APART_MS, 0)
        self.next_ms = self._clock.uptime_ms() - (apart_ms * self.phase >> 32)

    def begin(self):
        """Start the sensors now; milliseconds until `again` may be called."""
        wait_ms = self._sensors.start(self._identity.seq)
        # Ticks are cut to whole milliseconds: from one to the next may be no time at all.
        return wait_ms and wait_ms + 1

    def again(self):
        """Have those that measure several times go on; milliseconds until the next call, 0: to
        `finish`."""
        wait_ms = self._sensors.again()
        return wait_ms and wait_ms + 1

    def finish(self):
        """Collect and store; the fields, [(name, value), …]."""
        fields, errors = self._sensors.collect()
        self._store(fields, errors)
        return fields

    def _store(self, fields, errors):
        if len(fields) >= len(self.fields):
            self.fields = [name for name, _ in fields]
        for name, text in errors:
            self._log("sensor %s: %s" % (name, text))
        identity = self._identity
        text = dumps(fields, errors)
        record = reading.encode_now(identity.boot, identity.seq, self._clock, text.encode())
        if self._outbox.put(record):
            seq = identity.next_seq()
            self.taken += 1
            if not seq:
                # Whoever has just wired a sensor wants to see it measure.
                self._log("first reading: {%s}" % text)
            # It waits itself until it is delivered: only more than that is worth a word.
            depth = self._outbox.depth
            more = ", %d waiting" % depth if depth > 1 else ""
            self._log("sample %d stored%s" % (seq, more))
        else:
            self._log("sample refused: too large")
