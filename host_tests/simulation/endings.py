"""What ends a boot, or a run. None is an `Exception`: the firmware can handle none of them."""


class Restarted(BaseException):
    """The firmware called `machine.reset()`."""


class Bitten(BaseException):
    """The watchdog reset the board."""


class EndOfRun(BaseException):
    """The run has come to its end, in good order."""


class Violation(BaseException):
    """An invariant does not hold; the text says which."""
