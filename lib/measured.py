"""What a board measures of itself: its chip's temperature, its supply."""


class Measured:
    """A quantity that the board measures by itself: `measure()`, None if it cannot."""

    def __init__(self, field, measure):
        self.FIELDS = (field,)
        self._measure = measure
        self._value = None

    def start(self):
        # At once: when the slowest sensor is done the radio may be on, and with it a Pico W does
        # not know its supply.
        self._value = self._measure()
        return 0

    def read(self):
        value = self._value
        if value is None:
            raise ValueError("not measured on this board")
        return (round(value, 1),)
