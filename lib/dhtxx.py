"""DHT11 and DHT22 (AM2302): temperature and humidity, on MicroPython's frozen module `dht`."""

import dht

# Both answer with what they measured when they were last asked, and then measure again
# (Aosong, AM2302 product manual, section 7.1): so ask once, wait, and ask for the fresh value.
# The wait is also the shortest interval that the sensor stands, a DHT11 too (Aosong, DHT11 product
# manual, version 1.3, table 3), of which only older ones stood 1 s.
_WAIT_MS = 2000
# In saturated air the sensor says somewhat more than 100, and means it.
_MOST_HUMIDITY = 105


class DHT:
    """`pin` is the data pin, `model` "DHT11" or "DHT22".

    Fields: temperature in degC and humidity in %RH, to 0.1; the humidity of a DHT11 to 1.
    `read()` raises OSError without an answer, ValueError for a frame that cannot be right.
    """

    FIELDS = ("temperature", "humidity")

    def __init__(self, pin, model="DHT22"):
        self._is_dht11 = model == "DHT11"
        self._sensor = dht.DHT11(pin) if self._is_dht11 else dht.DHT22(pin)

    def start(self):
        try:
            self._measure()
        except (OSError, ValueError):
            # Nobody wants the old values, and a sensor that is gone fails in `read()`, too.
            pass
        return _WAIT_MS

    def _measure(self):
        try:
            self._sensor.measure()
        except (OSError, MemoryError):
            raise
        except Exception:
            # All that `dht` raises besides is a plain Exception for its checksum.
            raise ValueError("bad checksum")

    def read(self):
        self._measure()
        temperature = self._celsius()
        humidity = self._sensor.humidity()
        # A frame of zeros has a good checksum; a line that floats gives values out of all range.
        if temperature == 0 and humidity == 0:
            raise ValueError("empty frame")
        if not (-40 <= temperature <= 125 and 0 <= humidity <= _MOST_HUMIDITY):
            raise ValueError(f"out of range: {temperature:g} degC, {humidity:g} %RH")
        return round(temperature, 1), round(min(humidity, 100), 1)

    def _celsius(self):
        if self._is_dht11:
            # Newer DHT11 have tenths and, in bit 7 beside them, the sign (Aosong, DHT11
            # product manual, version 1.3, page 4: 0a 81 is -10.1 degC); older ones send 0 there.
            whole, tenths = self._sensor.buf[2:4]
            celsius = whole + (tenths & 0x7F) / 10
            return -celsius if tenths & 0x80 else celsius
        celsius = self._sensor.temperature()
        # Clones send two's complement, which taken for sign and magnitude is far too cold.
        return -celsius - 3276.8 if celsius < -3000 else celsius
