"""Counts the pulses of a rain gauge, a flow or electricity meter, an anemometer."""


class Pulses:
    """`pin` is an input as `machine.Pin`, with a pull-up; its falling edges are counted.

    Field: `scale` times the pulses since the reading before (the first time: since it was built).
    `time` has ticks_ms() and ticks_diff(). An edge within `debounce_ms` of the last one counted is
    contact bounce. tally: `[counted, read, edges]` where its owner keeps it, bounce in the last.
    """

    def __init__(self, pin, time, scale=1, debounce_ms=10, field="pulses", tally=None):
        self._time = time
        self._scale = scale
        self._debounce_ms = debounce_ms
        self.FIELDS = (field,)
        # The handler alone writes the first, `read()` alone the second: so none is lost.
        self._tally = tally or [0, 0, 0]
        self._last_ms = None
        self._pin = pin
        pin.irq(handler=self._fell, trigger=pin.IRQ_FALLING)

    def _fell(self, pin):
        self._tally[2] += 1
        now_ms = self._time.ticks_ms()
        if self._last_ms is not None:
            since_ms = self._time.ticks_diff(now_ms, self._last_ms)
            # Ticks wrap: after days of silence the difference can be negative.
            if 0 <= since_ms < self._debounce_ms:
                return
        self._last_ms = now_ms
        self._tally[0] += 1

    def start(self):
        return 0

    def read(self):
        count = self._tally[0]
        new = count - self._tally[1]
        self._tally[1] = count
        return (round(new * self._scale, 4),)
