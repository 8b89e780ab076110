"""Readings that cannot wait: thresholds of a field, crossed since the last reading."""


def limits_of(sensors):
    """What `Alarms` is given, of checked sensors."""
    limits = {}
    for sensor in sensors:
        for alarm in sensor["alarms"]:
            limits[sensor["prefix"] + alarm["field"]] = alarm
    return limits


class Alarms:
    """limits: field -> {"above": x, "below": x, "change": x}, each optional.

    `above` and `below` alarm when the value comes to lie beyond, and again when it has come back;
    `change` when it differs by so much from the value that was delivered last.
    `state`: field -> [beyond, last delivered value]; kept over deep sleep by whoever sleeps.
    """

    def __init__(self, limits, state=None):
        self._limits = limits
        self.state = state or {}

    def check(self, fields):
        """Names of the fields, of [(name, value), …], for which this reading must go at once."""
        urgent = []
        for name, value in fields:
            limit = self._limits.get(name)
            if limit is None or isinstance(value, (bool, str)):
                continue
            was_beyond, delivered = self.state.get(name, (False, None))
            above, below, change = limit.get("above"), limit.get("below"), limit.get("change")
            beyond = (above is not None and value > above) or (below is not None and value < below)
            far = change is not None and delivered is not None and abs(value - delivered) >= change
            if beyond != was_beyond or far:
                urgent.append(name)
            self.state[name] = [beyond, value if delivered is None else delivered]
        return urgent

    def delivered(self, fields):
        """These fields are what the broker knows last."""
        for name, value in fields:
            if name in self._limits:
                self.state[name] = [self.state.get(name, (False, None))[0], value]
