"""A fake ADC with noise. Runs in CPython and MicroPython."""

_FULL_UV = 3300000


class FakeAdc:
    """`read_uv()` is `microvolts` give or take `noise_uv`, from a seeded generator."""

    def __init__(self, microvolts, noise_uv=0, seed=1):
        self.microvolts = microvolts
        self.noise_uv = noise_uv
        self.reads = 0
        self._state = seed % 65537 or 1

    # What an ESP32's takes, and has no meaning here: the range is 3.3 V.
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    WIDTH_9BIT, WIDTH_10BIT, WIDTH_11BIT, WIDTH_12BIT = 9, 10, 11, 12

    def init(self, **options):
        """Nothing: see above."""

    def atten(self, attenuation):
        """Nothing: see above."""

    def width(self, bits):
        """Nothing: see above."""

    def read_u16(self):
        """As a share of 3.3 V, of which 65535 are the whole."""
        return min(max(self.read_uv() * 65535 // _FULL_UV, 0), 65535)

    def read(self):
        """As an ESP32 has it, in 12 bits."""
        return self.read_u16() >> 4

    def read_uv(self):
        self.reads += 1
        # Lehmer's generator: small enough for 31-bit integers.
        self._state = self._state * 75 % 65537
        return self.microvolts + (2 * self.noise_uv + 1) * self._state // 65537 - self.noise_uv
