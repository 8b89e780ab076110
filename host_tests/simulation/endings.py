"""What ends a boot, or a run. None is an `Exception`: the firmware can handle none of them."""


class Restarted(BaseException):
    """The firmware called `machine.reset()`."""


class Slept(BaseException):
    """The firmware called `machine.deepsleep(duration_ms)`."""

    def __init__(self, duration_ms: int) -> None:
        super().__init__(duration_ms)
        self.duration_ms = duration_ms


class Bitten(BaseException):
    """The watchdog reset the board."""


class EndOfRun(BaseException):
    """The run has come to its end, in good order."""


class Violation(BaseException):
    """An invariant does not hold; the text says which."""
