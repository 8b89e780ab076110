"""A fake ADC with noise. Runs in CPython and MicroPython."""


class FakeAdc:
    """`read_uv()` is `microvolts` give or take `noise_uv`, from a seeded generator."""

    def __init__(self, microvolts, noise_uv=0, seed=1):
        self.microvolts = microvolts
        self.noise_uv = noise_uv
        self.reads = 0
        self._state = seed % 65537 or 1

    def read_uv(self):
        self.reads += 1
        # Lehmer's generator: small enough for 31-bit integers.
        self._state = self._state * 75 % 65537
        return self.microvolts + (2 * self.noise_uv + 1) * self._state // 65537 - self.noise_uv
