"""What the node says: a line on the console, with the seconds since start."""


class Log:
    """Call it with a text. `clock` gives the time; `out(line)` is where lines go (`print`)."""

    def __init__(self, clock, out=print):
        self._clock = clock
        self._out = out

    def __call__(self, text):
        """One line. Console trouble (a full USB buffer, a closed pipe) never stops a node."""
        try:
            self._out("%10.1f %s" % (self._clock.uptime_ms() / 1000, text))
        except OSError:
            pass
