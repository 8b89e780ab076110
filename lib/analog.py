"""A voltage at an analogue input, averaged and scaled to what it stands for."""


class Analog:
    """`adc` is an object with `read_uv()`, microvolts at the pin.

    The value is volts * scale + offset, to `decimals` places: a divider of two equal resistors has
    scale 2, an LM35 (10 mV per degC) scale 100. `oversample` readings are averaged, which quietens
    the ESP32's noisy converter.
    """

    def __init__(self, adc, scale=1, offset=0, oversample=16, field="value", decimals=4):
        self._adc = adc
        self._scale = scale
        self._offset = offset
        self._oversample = oversample
        self._decimals = decimals
        self.FIELDS = (field,)

    def start(self):
        return 0

    def read(self):
        total_uv = 0
        for _ in range(self._oversample):
            total_uv += self._adc.read_uv()
        # Whole microvolts: single precision keeps them exactly up to 16 V.
        volts = total_uv // self._oversample / 1000000
        return (round(volts * self._scale + self._offset, self._decimals),)
