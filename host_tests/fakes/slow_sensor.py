"""A driver that takes its time, for nodes in simulation: `"driver": "fakes.slow_sensor:Slow"`."""


class Slow:
    FIELDS = ("level",)

    def __init__(self):
        self._count = 0

    def start(self):
        self._count += 1
        return 300

    def read(self):
        return (self._count,)
