"""Why a sensor failed, in few words; loaded with the first failure."""

# errno of a bus: ESP32 counts a time-out as 116, and an RP2 has EIO where an ESP32 has ENODEV.
_BUS_ERRORS = {5: "no answer", 19: "no such device", 110: "timed out", 116: "timed out"}
_TEXT_LIMIT = 80


def describe(error):
    """A short text that names an exception's cause, such as "OSError 110 timed out"."""
    args = error.args
    if isinstance(error, OSError) and args and isinstance(args[0], int):
        text = args[1] if len(args) > 1 else _BUS_ERRORS.get(args[0], "")
        text = f"OSError {args[0]} {text}"
    else:
        text = f"{type(error).__name__} {error}"
    return text.strip()[:_TEXT_LIMIT]
