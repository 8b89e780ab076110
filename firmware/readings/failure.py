"""Why a sensor failed, in few words; loaded with the first failure of anything."""

import io
import sys

from micropython import const

# errno of a bus: ESP32 counts a time-out as 116, and an RP2 has EIO where an ESP32 has ENODEV.
_BUS_ERRORS = {5: "no answer", 19: "no such device", 110: "timed out", 116: "timed out"}
_TEXT_LIMIT = 80
# Builds drivers and calls them, so it is in every traceback, and no place to look at.
_CALLER = "firmware.readings.sensors"
_DEBUG = const(0)  # as firmware/log.py has it


def describe(error):
    """A short text that names an exception's cause, such as "OSError 110 timed out"."""
    args = error.args
    if isinstance(error, OSError) and args and isinstance(args[0], int):
        text = args[1] if len(args) > 1 else _BUS_ERRORS.get(args[0], "")
        text = f"OSError {args[0]} {text}"
    else:
        text = f"{type(error).__name__} {error}"
    return text.strip()[:_TEXT_LIMIT]


def traceback_of(error):
    """The traceback of an exception as text."""
    out = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, out)
    else:
        import traceback

        traceback.print_exception(error, file=out)
    return out.getvalue()


def explain(name, error, log):
    """The same of the sensor `name`, with the line of a mistake in its driver, such as a name that
    is nowhere. The way there goes to the log at `debug`."""
    text = describe(error)
    if log:
        lines = traceback_of(error).strip().split("\n")
        place = ""
        # The last line says what `text` says.
        for line in lines[:-1]:
            log("sensor %s: %s" % (name, line), _DEBUG)
            # A board has dots where a desk has slashes.
            if line.strip().startswith('File "') and _CALLER not in line.replace("/", "."):
                place = line
        # What a device does ends in one of these two.
        if place and not isinstance(error, (OSError, ValueError)):
            path, rest = place.split('"')[1:3]
            text += " (%s,%s)" % (path.split("/")[-1], rest.split(",")[1])
    return text
