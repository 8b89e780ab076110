"""A fake DHT sensor in the place of its pin, and what the frozen module `dht` offers on top.

Runs in CPython and MicroPython; on a board the genuine `dht` runs on it, given `dht_readinto`.
"""

ETIMEDOUT = 110


class FakeDht:
    """Like the real one it answers with what it measured when it was asked the last time."""

    def __init__(self, celsius=21.5, humidity=40.1, model="DHT22"):
        self.celsius = celsius
        self.humidity = humidity
        self.model = model
        self.present = True
        self.corrupt = False
        self._frame = self._measure()

    def _measure(self):
        if self.model == "DHT11":
            # Those that know frost say so beside their tenths (lib/dhtxx.py).
            tenths = int(-self.celsius * 10 + 0.5) if self.celsius < 0 else 0
            whole, rest = (tenths // 10, 0x80 | tenths % 10) if tenths else (int(self.celsius), 0)
            head = bytes((int(self.humidity), 0, whole, rest))
        else:
            tenths = int(abs(self.celsius) * 10 + 0.5) | (0x8000 if self.celsius < 0 else 0)
            humidity = int(self.humidity * 10 + 0.5)
            head = bytes((humidity >> 8, humidity & 0xFF, tenths >> 8, tenths & 0xFF))
        return head + bytes((sum(head) & 0xFF,))

    def answer(self):
        if not self.present:
            raise OSError(ETIMEDOUT)
        frame = bytearray(self._frame)
        self._frame = self._measure()
        if self.corrupt:
            frame[4] ^= 0x10
        return frame


def dht_readinto(pin, buf):
    buf[:] = pin.answer()


class _Dht:
    def __init__(self, pin):
        self.pin = pin
        self.buf = bytearray(5)

    def measure(self):
        dht_readinto(self.pin, self.buf)
        if sum(self.buf[:4]) & 0xFF != self.buf[4]:
            raise Exception("checksum error")


class DHT11(_Dht):
    def humidity(self):
        return self.buf[0]

    def temperature(self):
        return self.buf[2]


class DHT22(_Dht):
    def humidity(self):
        return (self.buf[0] * 256 + self.buf[1]) * 0.1

    def temperature(self):
        value = ((self.buf[2] & 0x7F) * 256 + self.buf[3]) * 0.1
        return -value if self.buf[2] & 0x80 else value
