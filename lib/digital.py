"""A digital input: a door contact, a motion sensor, a float switch."""


class Digital:
    """`pin` is an input as `machine.Pin`; `active_low`: 0 V means 1, as of a switch to ground.

    The value is 1 or 0, as it is when it is read: a change between two readings is not seen.
    """

    def __init__(self, pin, active_low=False, field="active"):
        self._pin = pin
        self._active_low = active_low
        self.FIELDS = (field,)

    def start(self):
        return 0

    def read(self):
        return (int(bool(self._pin.value()) != self._active_low),)
