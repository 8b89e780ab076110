"""A fake GPIO pin, with interrupts. Runs in CPython and MicroPython."""


class FakePin:
    """`level` is what the outside drives it to."""

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

    def irq(self, handler=None, trigger=3):
        self._handler = handler
        self._trigger = trigger

    def drive(self, level):
        """Change the level from outside, with the interrupt that comes of it."""
        edge = 0 if level == self.level else self.IRQ_RISING if level else self.IRQ_FALLING
        self.level = level
        if self._handler and edge & self._trigger:
            self._handler(self)
