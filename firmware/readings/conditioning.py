"""What a sensor's `fields`, `calibration`, `median` and `every` do. Loaded only when configured.

The median is that of several measurements for one reading, not one over the last readings. So a
value belongs to its reading's time, a threshold is crossed when it is crossed and not some
intervals later, and nothing has to be kept over a deep sleep; the price is a longer wake.
"""


class Conditioned:
    """A sensor that is read with every so many-th reading, several times, in part, or corrected.

    `sensor` makes each measurement. `refusal` says why a value is no number to publish, or None.
    A measurement that fails is left out, as long as the others are the majority.
    """

    is_due = True

    def __init__(self, sensor, config, refusal):
        self._sensor = sensor
        self._config = config
        self._refusal = refusal
        self.error = sensor.error
        self._corrections = {one["field"]: one for one in config["calibration"]}
        self._count = self._failures = config["median"]
        self._to_go = 0
        self._why = self.error
        self._fields = ()

    def start(self, board, seq):
        # By the reading's number, which outlives a deep sleep: a boot's first reading has it all.
        self.is_due = seq % self._config["every"] == 0
        if not self.is_due:
            return 0
        self._to_go = self._count
        self._failures = 0
        self._found = {}
        return self._sensor.start(board, seq)

    def again(self, board):
        while self.is_due and self._to_go > 1:
            self._take()
            if self._to_go:
                wait_ms = self._sensor.start(board, 0)
                if wait_ms > 0:
                    return wait_ms
        return 0

    def _take(self):
        """Read the measurement that was started."""
        self._to_go -= 1
        measured = self._sensor.measure()
        if not measured:
            self._failures += 1
            self._why = self._sensor.error
            if not self._is_majority(self._count - self._failures):
                self._to_go = 0  # There is no time for another measurement.
        for field, value in measured:
            self._found.setdefault(field, []).append(value)
        self._fields = [field for field, _ in measured] or self._fields

    def _is_majority(self, count):
        return 2 * count > self._count

    def measure(self):
        if self._to_go:
            self._take()
        self.error = None
        if not self._is_majority(self._count - self._failures):
            self.error = self._why
            return []
        return [(field, self._value(field)) for field in self._config["fields"] or self._fields]

    def _value(self, field):
        """The corrected median of what was found, or what is wrong with it."""
        good, wrong = [], ValueError("is none of the driver's fields")
        for value in self._found.get(field, ()):
            if self._refusal(value) is None:
                good.append(value)
            else:
                wrong = value
        if not self._is_majority(len(good)):
            return wrong
        value = sorted(good)[len(good) // 2]
        correction = self._corrections.get(field)
        return value * correction["scale"] + correction["offset"] if correction else value
