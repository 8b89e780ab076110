"""The last failure that nothing else caught: kept in a file until it has been published."""

import io
import sys

from micropython import const

from firmware import files as _files

_PATH = "crash.txt"
_COUNT_PATH = "crash.count"
# A traceback of a dozen frames; the end of it says most.
_BYTES_MAX = const(1024)
_PAUSE_FIRST_S = const(5)
_PAUSE_MAX_S = const(600)


def text_of(error):
    """The traceback of `error` as text."""
    out = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, out)
    else:
        import traceback

        traceback.print_exception(error, file=out)
    return out.getvalue()


def keep(text, files=_files):
    """Write the last `_BYTES_MAX` bytes of `text`, and count it; seconds to pause before a reset.

    The pause doubles with each failure in a row, so that a node that fails at once, or soon after
    each delivery, neither floods the broker nor empties its battery.
    """
    count = 0
    try:
        count = int(_files.read(_COUNT_PATH, files) or b"0")
    except ValueError:
        pass  # Spoilt: begin again.
    try:
        _files.write_atomic(_PATH, text.encode()[-_BYTES_MAX:], files)
        _files.write_atomic(_COUNT_PATH, b"%d" % (count + 1), files)
    except OSError:
        pass  # A flash that is full or spoilt: the reset matters more.
    return min(_PAUSE_FIRST_S << min(count, 10), _PAUSE_MAX_S)


def last(files=_files):
    """The text kept, or None."""
    data = _files.read(_PATH, files)
    return data.decode("utf-8", "replace") if data else None


def published(files=_files):
    """The text has reached the broker and can go."""
    _remove(_PATH, files)


def recovered(files=_files):
    """The node has run well for a minute: the next failure pauses briefly again."""
    _remove(_COUNT_PATH, files)


def _remove(path, files):
    try:
        files.remove(path)
    except OSError:
        pass  # There was none.
