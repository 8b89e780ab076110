"""`fieldpost collect` on a machine whose clock is set again and again, there and back by years.

Only the time of day is: what is waited for goes by another clock, as it does on a real machine.
"""

import time

from fieldpost.start import main

DAY_S = 86_400
STEPS_S = (0, 3000 * DAY_S, -DAY_S, -3000 * DAY_S, 3600)
EACH_S = 0.4

_true = time.time
_began = time.monotonic()


def _stepped() -> float:
    number = int((time.monotonic() - _began) / EACH_S)
    return _true() + STEPS_S[number % len(STEPS_S)]


if __name__ == "__main__":
    time.time = _stepped
    main()
