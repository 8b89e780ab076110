"""What the node says: lines with the seconds since start, on the console and kept for a while."""

from micropython import const

DEBUG = const(0)
INFO = const(1)
WARNING = const(2)
ERROR = const(3)
LEVELS = ("debug", "info", "warning", "error")
# Kept for `log` commands and crash reports: a few minutes of an ordinary node.
_LINES_MAX = const(24)
_LINE_CHARACTERS_MAX = const(120)


class Log:
    """Call it with a text and a level. `clock` gives the time; `out(line)` is where lines go.

    `level`: lines below it are neither printed nor kept. `lines`: the last ones, oldest first.
    """

    def __init__(self, clock, out=print, level=INFO):
        self._clock = clock
        self._out = out
        self.level = level
        self.lines = []

    def __call__(self, text, level=INFO):
        """One line. Console trouble (a full USB buffer, a closed pipe) never stops a node."""
        if level < self.level:
            return
        line = "%10.1f %s" % (self._clock.uptime_ms() / 1000, text)
        if len(self.lines) >= _LINES_MAX:
            self.lines.pop(0)
        self.lines.append(line[:_LINE_CHARACTERS_MAX].strip())
        self.tell(line)

    def tell(self, line):
        """For the console alone: not kept, so in no crash report and no answer to a command."""
        try:
            self._out(line)
        except OSError:
            pass
