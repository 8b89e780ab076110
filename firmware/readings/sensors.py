"""The configured sensors: built, started and read each on its own, so that none stops another."""

from firmware.readings.sensor import Sensor, refusal


def _make(config):
    if config["every"] == config["median"] == 1 and not config["fields"] + config["calibration"]:
        return Sensor(config)
    from firmware.readings.conditioning import Conditioned

    return Conditioned(config)


class Sensors:
    """All sensors of a node. `configs` is a list of dicts as `config.check()` returns them.

    A driver that cannot be built or loaded is a failing sensor, tried again at every start.
    `errors`: name -> text of the sensors that failed when they were read last.
    """

    def __init__(self, configs, board):
        self._board = board
        self._sensors = [_make(config) for config in configs]
        self.errors = {}

    def start(self, seq=0):
        """Start a measurement for the reading `seq` on every sensor that it is to have.

        Returns the ms until `again()` may be called.
        """
        wait_ms = 0
        for sensor in self._sensors:
            wait_ms = max(wait_ms, sensor.start(self._board, seq))
        return wait_ms

    def again(self):
        """Go on with those that measure several times; the ms until the next call, 0: all are done
        and `collect()` may be called."""
        wait_ms = 0
        for sensor in self._sensors:
            wait_ms = max(wait_ms, sensor.again(self._board))
        return wait_ms

    def collect(self):
        """([(field, value), ...], [(sensor's name, error text), ...]) of the started measurement.

        Values are ready for `format_value()`, and a sensor has at most one error text. Every field
        appears once: one that a sensor before has already filled is an error, as are values that
        are no finite numbers.
        """
        fields = []
        errors = []
        taken = set()
        for sensor in self._sensors:
            if not sensor.is_due:
                continue
            self.errors.pop(sensor.name, None)
            wrong = []
            for field, value in sensor.read():
                if isinstance(value, Exception):
                    from firmware.readings.failure import describe

                    text = describe(value)
                elif field in taken:
                    text = "field is already taken, set a prefix"
                else:
                    text = refusal(value)
                if text:
                    wrong.append(field + ": " + text)
                else:
                    taken.add(field)
                    fields.append((field, value))
            if sensor.error:
                wrong.append(sensor.error)
            if wrong:
                self.errors[sensor.name] = "; ".join(wrong)
                errors.append((sensor.name, self.errors[sensor.name]))
        return fields, errors
