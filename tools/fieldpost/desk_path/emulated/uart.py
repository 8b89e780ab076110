"""A fake UART with a PMS5003, or one of its kin, at the end. Runs in CPython and MicroPython."""


class FakePms5003:
    """The UART as the board sees it: a frame every `interval_ms` into a buffer that loses what
    does not fit. `pm` are the values 'under atmospheric environment', `more` all words after them
    but the sum: those of a PMS5003, unless another model's are given."""

    MORE = (900, 260, 41, 4, 1, 0, 0x9700)

    def __init__(self, now_ms, pm=(5, 8, 9), interval_ms=2300, buffer_bytes=256, more=MORE):
        self._now_ms = now_ms
        self.pm = pm
        self.more = more
        self.interval_ms = interval_ms
        self.present = True
        self.corrupt = False
        self._limit = buffer_bytes
        self._buffer = b""
        self._sent = 0

    def frame(self):
        words = [2 * (6 + len(self.more)) + 2, 4, 6, 7]
        words.extend(self.pm)
        words.extend(self.more)
        data = b"\x42\x4d" + b"".join(word.to_bytes(2, "big") for word in words)
        return data + (sum(data) + (1 if self.corrupt else 0)).to_bytes(2, "big")

    def feed(self, data):
        self._buffer = (self._buffer + data)[: self._limit]

    def _arrive(self):
        due = self._now_ms() // self.interval_ms
        while self._sent < due:
            self._sent += 1
            if self.present:
                self.feed(self.frame())

    def any(self):
        self._arrive()
        return len(self._buffer)

    def read(self, count=None):
        self._arrive()
        count = len(self._buffer) if count is None else count
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data or None
