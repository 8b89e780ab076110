"""The pins that a duty-cycled node minds while it sleeps: pulses to count, inputs that change.

A board that keeps its RAM (RP2) is woken by each edge: a pulse is counted and sleep goes on, an
input's change ends it. Any other (ESP32) sees to that as it starts (wake_stub.py), and what it has
found comes here in `kept`.
"""

from micropython import const

# Of a pulse counter's tally (lib/pulses.py) and an input's (lib/changes.py).
_COUNT, _READ = const(0), const(1)
_CHANGED, _PUBLISHED, _EDGES, _LEVEL = const(0), const(1), const(2), const(3)
_LONG_MS = const(0x3FFFFFFF)


class _Watched:
    """One pin. Its driver writes to the tally. Before `ready_ms` no change is published."""

    def __init__(self, config, board, kept):
        watched = config["watched"]
        self.number = watched["pin"]
        self.pull = watched["pull"]
        self.debounce_ms = watched["debounce_ms"]
        self.is_counter = "field" not in watched
        self.pin = board.pin(self.number, "in", self.pull)
        if not self.is_counter:
            self.field = config["prefix"] + watched["field"]
            self.pause_ms = watched["pause_s"] * 1000
        self.ready_ms = kept[5] if kept else 0
        if self.is_counter:
            self.tally = [kept[4] if kept else 0, 0, 0]
        else:
            self.tally = [kept[6] if kept else 0, kept[2] if kept else None, 0, None]

    def has_changed(self, level=None):
        """Whether `level`, or what is at the pin now, is not what was published last."""
        tally = self.tally
        if self.is_counter or tally[_PUBLISHED] is None:
            return False
        level = self.pin.value() if level is None else level
        return bool(tally[_CHANGED]) or level != tally[_PUBLISHED]

    def keep(self):
        """As firmware/duty_cycle/wake_stub.py wants it."""
        tally = self.tally
        level, count, changed = self.pin.value(), None, 0
        if self.is_counter:
            count = tally[_COUNT] - tally[_READ]
        else:
            changed = tally[_CHANGED]
            level = level if tally[_PUBLISHED] is None else tally[_PUBLISHED]
        return [self.number, self.pull, level, self.debounce_ms, count, self.ready_ms, changed]


class Watch:
    """configs: of all sensors; those with `watched` are. now_ms(): of the clock that the node
    plans by. `sensors`: the same, with the tally as one more argument for the drivers of those.

    kept: the state that a deep sleep kept, or {}. `counts`: wakes by pins since the last reading,
    in all, and how often there were too many of them. `error`: why a pin cannot wake the board, or
    None.
    """

    def __init__(self, board, now_ms, configs, log, kept):
        self._now_ms = now_ms
        self._log = log
        by_number = {one[0]: one for one in kept.get("pins", ())}
        self._watched = []
        self.sensors = []
        for config in configs:
            if config.get("watched"):
                one = _Watched(config, board, by_number.get(config["pin"]))
                self._watched.append(one)
                config = config.copy()
                config["recipe"] = config["recipe"] + [one.tally]
            self.sensors.append(config)
        self._edges = 0
        self.counts = kept.get("woken") or [0, 0, 0]
        self.error = kept.get("pin_error")

    def begin(self, is_extra):
        """A wake begins. is_extra: for an input that has changed."""
        if is_extra:
            self.counts[1] += 1
        else:
            self.counts[0] = 0

    def report(self):
        """What `…/health` has of the pins."""
        found = {"pin_wakes": self.counts[1], "pin_storms": self.counts[2]}
        if self.error:
            found["pin_error"] = self.error
        return found

    def stirred(self):
        """Whether a pin has moved since this was asked last."""
        edges = sum([one.tally[_EDGES] for one in self._watched])
        before, self._edges = self._edges, edges
        return edges != before

    def changed(self):
        """Whether an input is not as it was published last."""
        return any(one.has_changed() for one in self._watched)

    def due_ms(self):
        """Milliseconds until a changed input is to be published; long, if none has changed."""
        now_ms = self._now_ms()
        waits_ms = [one.ready_ms - now_ms for one in self._watched if one.has_changed()]
        return max(min(waits_ms + [_LONG_MS]), 0)

    def collected(self):
        """A reading was taken: the fields for which it must go at once."""
        now_ms = self._now_ms()
        urgent = []
        for one in self._watched:
            tally = one.tally
            if one.is_counter:
                continue
            level, tally[_LEVEL] = tally[_LEVEL], None
            if tally[_PUBLISHED] is None:
                tally[_PUBLISHED] = level
            elif now_ms >= one.ready_ms and level != tally[_PUBLISHED] and one.has_changed(level):
                # What could not be read is tried again after the pause, and not over and over.
                one.ready_ms = now_ms + one.pause_ms
                if level is not None:
                    tally[_PUBLISHED] = level
                    urgent.append(one.field)
        return urgent

    def refuse(self, error):
        """A pin cannot wake the board: the node goes on without."""
        self.error = str(error)
        self._log(self.error)

    def moved(self, step_ms):
        """The real-time clock was set: what was planned on it moves along."""
        for one in self._watched:
            one.ready_ms += step_ms if one.ready_ms else 0

    def keep(self):
        """For the state that a deep sleep keeps."""
        return [one.keep() for one in self._watched]
