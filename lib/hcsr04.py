"""HC-SR04 and JSN-SR04T: distance by ultrasound, with a trigger and an echo pin."""

from micropython import const

# ElecFreaks, 'Ultrasonic Ranging Module HC-SR04': trigger for 10 us; us / 58 = cm; 60 ms apart.
_TRIGGER_US = const(10)
_US_PER_CM = const(58)
_CYCLE_MS = const(60)
# The echo pin rises some 0.5 ms after the trigger, a JSN-SR04T's later.
_RISE_LIMIT_US = const(10000)
# 6 m, a JSN-SR04T's range. An HC-SR04 that hears nothing makes a pulse of 38 ms.
_LONGEST_US = const(36000)
_SHORTEST_US = const(100)
_ETIMEDOUT = const(110)


class HCSR04:
    """`trigger` is an output and `echo` an input as `machine.Pin`; `time` has ticks_us(),
    ticks_diff(), sleep_us() and sleep_ms().

    Field: distance in cm to 0.1, the median of `samples` measurements, by the speed of sound at
    20 degC; each 10 degC more make it 1.7 % longer than it says. `read()` takes up to 60 ms a
    sample. Raises OSError if there is no echo pulse, ValueError if nothing is within range.
    """

    FIELDS = ("distance",)

    def __init__(self, trigger, echo, time, samples=3):
        self._trigger = trigger
        self._echo = echo
        self._time = time
        self._samples = samples
        trigger.value(0)

    def start(self):
        return 0

    def read(self):
        found = []
        for i in range(self._samples):
            if i:
                # So that no echo of the last sound is heard.
                self._time.sleep_ms(_CYCLE_MS)
            found.append(self._pulse_us())
        found.sort()
        return (round(found[len(found) // 2] / _US_PER_CM, 1),)

    def _pulse_us(self):
        time, echo = self._time, self._echo
        if echo.value():
            raise OSError(_ETIMEDOUT, "echo is held high")
        self._trigger.value(1)
        time.sleep_us(_TRIGGER_US)
        self._trigger.value(0)
        begun_us = time.ticks_us()
        while not echo.value():
            if time.ticks_diff(time.ticks_us(), begun_us) > _RISE_LIMIT_US:
                raise OSError(_ETIMEDOUT, "no echo pulse")
        begun_us = time.ticks_us()
        pulse_us = 0
        while echo.value():
            pulse_us = time.ticks_diff(time.ticks_us(), begun_us)
            if pulse_us > _LONGEST_US:
                raise ValueError("nothing within range")
        if pulse_us < _SHORTEST_US:
            raise ValueError("too near, or no sensor")
        return pulse_us
