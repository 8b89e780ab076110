"""The configured sensors: built, started and read each on its own, so that none stops another.

A driver is loaded only when it is configured. Every driver, in `lib/` or from elsewhere, has
- `FIELDS`, a tuple of names (on the class or the object);
- `start() -> ms until read()`, which begins a measurement;
- `read() -> tuple` in the order of FIELDS. It raises OSError if the device does not answer and
  ValueError if the answer is wrong; of several devices behind one driver, an exception can stand
  in the tuple in the place of a value.
One of somebody's own may have `RANGES`, {field: (lowest, highest)}: what it can measure at all.
After a failure the driver is built anew, so what a device forgot with its power is set again.

It is built by the recipe that the check of the configuration has written, so that the declaration
of the sensor's type is not needed: `["module:Class", argument, ...]`. A dict among the arguments
is a part of the board by its name: `{"adc": [34]}` is what `board.adc(34)` returns, and
`{"time": None}` is `board.time`.
"""

import json


def _explain(config, error, log=None):
    # Most nodes never need it.
    from firmware.readings.failure import explain

    return explain(config["name"], error, log)


def refusal(value):
    """Why JSON cannot carry `value` as a number, or None."""
    # MicroPython's bool is no int.
    if not isinstance(value, (bool, int, float)):
        return "is no number"
    # NaN differs from itself, and infinity less infinity is NaN.
    if value != value or value - value != 0:
        return "is not finite"
    return None


def format_value(value):
    """A JSON number of at most six significant digits, the same on every board.

    That is what single precision keeps: 21.53 is stored as 21.53000069 there, and json.dumps would
    say so on some boards. Whole numbers and booleans are written in full.
    Raises ValueError for what is no number or not finite.
    """
    wrong = refusal(value)
    if wrong:
        raise ValueError(wrong)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or abs(value) >= 1000000:
        return str(int(value))
    text = "%.6g" % value
    return "0" if text == "-0" else text


def dumps(fields, errors):
    """What `Sensors.collect` gave as JSON without braces; errors go by their sensors' names."""
    parts = [json.dumps(name) + ":" + format_value(value) for name, value in fields]
    if errors:
        parts.append('"failed":' + json.dumps([name for name, _ in errors]))
    return ",".join(parts)


def _build(recipe, board):
    """The driver. ImportError if it is not on this board, ValueError if what is named is none."""
    module, name = recipe[0].split(":")
    # The fourth argument makes it the module itself and not the package around it.
    module = __import__(module, None, None, (name,))
    driver = getattr(module, name)
    # Not just anything that a text in the configuration could call: what is built into the port,
    # such as machine.bootloader or machine.UART, has no file.
    if not (hasattr(module, "__file__") and isinstance(driver, type) and hasattr(driver, "read")):
        raise ValueError("no driver")
    return driver(*[_argument(one, board) for one in recipe[1:]])


def _argument(given, board):
    if isinstance(given, dict):
        for name, arguments in given.items():
            given = getattr(board, name)
            if arguments is not None:
                given = given(*arguments)
    return given


class Sensor:
    """One configured sensor: its driver while it has one, and its error while it has that."""

    is_due = True

    def __init__(self, config, log):
        self._config = config
        self._log = log
        self._driver = None
        self.error = "not started"

    def _fail(self, error):
        if isinstance(error, MemoryError):
            raise error  # The node's own trouble: a restart makes room.
        # As text: an exception would hold on to its traceback.
        self.error = _explain(self._config, error, self._log)
        self._driver = None

    def start(self, board, seq):
        self.error = None
        try:
            if self._driver is None:
                self._driver = _build(self._config["recipe"], board)
            # A driver that asks for more than five minutes must not hold up the others.
            return min(int(self._driver.start()), 300000)
        except (Exception, SystemExit) as error:
            self._fail(error)
            return 0

    def again(self, board):
        return 0

    def measure(self):
        """A list of (the driver's field, value or exception), empty if all of it failed."""
        if self._driver is None:
            return []
        try:
            values = self._driver.read()
            fields = self._driver.FIELDS
            "".join(fields)  # TypeError for a name that is no text
            if len(values) != len(fields):
                raise ValueError("%d values for %d fields" % (len(values), len(fields)))
            ranges = self._config["ranges"]
            own = getattr(self._driver, "RANGES", ranges)
            measured = []
            for field, value in zip(fields, values):
                lowest, highest = ranges.get(field) or own.get(field) or ranges["*"]
                # What no such device can measure is never published.
                if not refusal(value) and not lowest <= value <= highest:
                    value = ValueError("out of range: %g" % value)
                measured.append((field, value))
            return measured
        except (Exception, SystemExit) as error:
            self._fail(error)
            return []


def _make(config, log):
    sensor = Sensor(config, log)
    if config["every"] == config["median"] == 1 and not config["fields"] + config["calibration"]:
        return sensor
    from firmware.readings.conditioning import Conditioned

    return Conditioned(sensor, config, refusal)


class Sensors:
    """All sensors of a node. `configs` is a list of dicts as `config.check()` returns them.

    A driver that cannot be built or loaded is a failing sensor, tried again at every start.
    `errors`: name -> text of the sensors that failed when they were read last. log: gets, at
    `debug`, where in a driver each of them failed.
    """

    def __init__(self, configs, board, log=None):
        self._board = board
        self._configs = configs
        self._sensors = [_make(config, log) for config in configs]
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
        for sensor, config in zip(self._sensors, self._configs):
            if not sensor.is_due:
                continue
            name = config["name"]
            self.errors.pop(name, None)
            wrong = []
            for field, value in sensor.measure():
                field = config["prefix"] + field
                if isinstance(value, Exception):
                    text = _explain(config, value)
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
                self.errors[name] = "; ".join(wrong)
                errors.append((name, self.errors[name]))
        return fields, errors
