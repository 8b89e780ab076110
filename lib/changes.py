"""A digital input of which no change may be missed: a door contact, a motion sensor."""

from digital import Digital

# A contact bounces for some milliseconds; a person takes longer.
_DEBOUNCE_MS = 50


class Changes(Digital):
    """As `Digital`, but the next reading sees a change that came and went since the last.

    tally: `[changed, published, edges, level]` where its owner keeps it, None: nobody minds the
    pin between readings. They are whether the input has moved since it was read, the level that
    was published last (None: none yet), the edges seen so far, bounce included, and the level that
    was read last. time: ticks_ms(), ticks_diff().
    """

    def __init__(self, pin, time, active_low, field, tally=None):
        super().__init__(pin, active_low, field)
        self._time = time
        self._tally = tally
        self._last_ms = None
        if tally:
            pin.irq(handler=self._moved, trigger=pin.IRQ_FALLING | pin.IRQ_RISING)

    def _moved(self, pin):
        tally = self._tally
        tally[2] += 1
        now_ms = self._time.ticks_ms()
        last_ms = self._last_ms
        # Ticks wrap: after days of silence the difference can be negative.
        if last_ms is not None and 0 <= self._time.ticks_diff(now_ms, last_ms) < _DEBOUNCE_MS:
            return
        self._last_ms = now_ms
        tally[0] = 1

    def read(self):
        tally = self._tally
        if not tally:
            return super().read()
        changed = tally[0]
        level = seen = self._pin.value()
        if changed and level == tally[1]:
            level = 1 - level
        tally[0] = 0
        if self._pin.value() != seen:
            tally[0] = 1  # It moved meanwhile, and may be back before the next reading.
        tally[3] = level
        return (int(bool(level) != self._active_low),)
