"""Plantower PMS5003T, PMS5003S and PMS5003ST: what they measure besides particles.

Data sheets: PMS5003T, PMS5003S (2016) and PMS5003ST (2015), each appendix A. Agrees with ESPHome's
pmsx003 and with PyPMS, which take the temperature for signed; the sheets do not say.
"""

from pms5003 import PMS5003, word

# Of each model: the size of its frame, and where its further fields stand.
_MODELS = {
    "PMS5003T": (32, (("temperature", 24), ("humidity", 26))),
    "PMS5003S": (32, (("formaldehyde", 28),)),
    "PMS5003ST": (40, (("formaldehyde", 28), ("temperature", 30), ("humidity", 32))),
}


class PMS5003ST:
    """`uart` is as for a PMS5003, `model` one of the three.

    Fields: pm1, pm25, pm10 in ug/m3, and what the model has of formaldehyde in ug/m3, temperature
    in degC and humidity in %RH, both to 0.1. Raises OSError if no frame came, ValueError if none
    was right, or not that model's. (By its length; a PMS5003's is as long as two of them.)
    """

    FIELDS = PMS5003.FIELDS + ("formaldehyde", "temperature", "humidity")

    def __init__(self, uart, model):
        self._model = model
        self._size, self._more = _MODELS[model]
        self._particles = PMS5003(uart)
        self.FIELDS = PMS5003.FIELDS + tuple(name for name, _ in self._more)

    def start(self):
        return self._particles.start()

    def read(self):
        """The values of the latest frame whose checksum is right."""
        frame = self._particles.frame()
        if len(frame) != self._size:
            raise ValueError("a frame of %d bytes, none of a %s" % (len(frame), self._model))
        values = [word(frame, at) for at in (10, 12, 14)]
        for name, at in self._more:
            value = word(frame, at)
            if name == "temperature" and value & 0x8000:
                value -= 0x10000
            values.append(value if name == "formaldehyde" else value / 10)
        return tuple(values)
