"""A made-up climate for a node without sensors: seeded, smooth, the same wherever it runs."""

# Whole numbers throughout, and none above 2**30 once the time is reduced: so every port agrees.
from micropython import const

_PRIME = const(65537)
_ETIMEDOUT = const(110)


def _random(seed, point):
    """A number from 0 to 65535 that looks random but depends on its arguments alone."""
    value = (seed * 75 + point % _PRIME * 8121 + 28411) % _PRIME
    for _ in range(3):
        value = (value ^ value >> 7) * 4093 % _PRIME
    return value & 0xFFFF


def _between(before, after, at, length):
    """From `before` at 0 to `after` at `length`, level at both ends: 3x^2 - 2x^3 in 512ths."""
    x = at % length * 512 // length
    return before + ((after - before) * (x * x * (1536 - 2 * x) >> 9) >> 18)


def _drift(seed, seconds, length_s, span):
    """A smooth random curve from -span to span with a new random point every `length_s`."""
    point = seconds // length_s
    before = _random(seed, point) * 2 * span // 65536 - span
    after = _random(seed, point + 1) * 2 * span // 65536 - span
    return _between(before, after, seconds % length_s, length_s)


class Simulated:
    """Temperature from 15 to 25 degC and humidity from 35 to 75 %RH, both to 0.01.

    `time.time()`: whole seconds since any midnight (UTC). The values depend on it and the seed
    alone: coldest an eighth into each period, warmest half a period later, with a drift.
    With `fail_every` n, each n-th reading raises OSError.
    """

    FIELDS = ("temperature", "humidity")

    def __init__(self, time, seed=1, period_s=86400, fail_every=0):
        self._time = time
        self._seed = seed % _PRIME
        self._period_s = period_s
        self._fail_every = fail_every
        self._readings = 0

    def start(self):
        return 0

    def read(self):
        self._readings += 1
        if self._fail_every and self._readings % self._fail_every == 0:
            raise OSError(_ETIMEDOUT, "simulated failure")
        now_s = self._time.time()
        half_s = self._period_s // 2
        since_coldest_s = (now_s - self._period_s // 8) % self._period_s
        if since_coldest_s < half_s:
            warmer = _between(-400, 400, since_coldest_s, half_s)
        else:
            warmer = _between(400, -400, since_coldest_s - half_s, self._period_s - half_s)
        drift_s = max(1, self._period_s // 24)
        warmer += _drift(self._seed, now_s, drift_s, 100)
        # Warmer air is drier, as indoors.
        humidity = 5500 - warmer * 3 + _drift(self._seed + 1, now_s, drift_s, 500)
        return (2000 + warmer) / 100, humidity / 100
