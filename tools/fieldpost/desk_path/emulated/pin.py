"""A fake GPIO pin, with interrupts. Runs in CPython and MicroPython."""


class FakePin:
    """`level` is what the outside drives it to."""

    # As `machine.Pin` has them; what is driven from outside wins over any pull.
    IN, OUT, OPEN_DRAIN = 0, 1, 2
    PULL_UP, PULL_DOWN = 1, 2
    IRQ_FALLING = 2
    IRQ_RISING = 1

    def __init__(self, level=0):
        self.level = level
        self._handler = None
        self._trigger = 0

    def value(self, level=None):
        if level is None:
            return self.level
        self.level = level
        return None

    def init(self, mode=-1, pull=-1, value=None, **options):
        if value is not None:
            self.level = value

    def on(self):
        self.level = 1

    def off(self):
        self.level = 0

    def __call__(self, level=None):
        return self.value(level)

    def irq(self, handler=None, trigger=3):
        self._handler = handler
        self._trigger = trigger

    def drive(self, level):
        """Change the level from outside, with the interrupt that comes of it."""
        edge = 0 if level == self.level else self.IRQ_RISING if level else self.IRQ_FALLING
        self.level = level
        if self._handler and edge & self._trigger:
            self._handler(self)
