"""What a board measures of itself: its chip's temperature, its supply."""


class Measured:
    """A quantity that the board measures by itself: `measure()`, None if it cannot."""

    def __init__(self, field, measure):
        self.FIELDS = (field,)
        self._measure = measure

    def start(self):
        return 0

    def read(self):
        value = self._measure()
        if value is None:
            raise ValueError("not measured on this board")
        return (round(value, 1),)
