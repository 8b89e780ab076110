"""A failure that nothing else caught: kept in a file until it has been published.

Loaded when there is one; firmware/remote/health.py tells of it.
"""

from micropython import const

from firmware import files as _files
from firmware.readings.failure import traceback_of

# A traceback of a dozen frames; its end says most.
_BYTES_MAX = const(1024)
_PAUSE_FIRST_S = const(5)
_PAUSE_MAX_S = const(600)


def tell(error, node, board, clock, log, files=_files):
    """Log and keep the traceback of `error`, close the link of `node` (or None), and pause."""
    text = traceback_of(error)
    log(text)
    pause_s = keep(text, files)
    try:
        if node:
            from firmware.readings import loss_counts

            loss_counts.keep(node.outbox, files)
            node.link.close()
    except Exception as again:
        log("while closing: %s" % again)
    log("restarting in %d s" % pause_s)
    for _ in range(pause_s):
        board.feed()
        clock.sleep_ms(1000)


def keep(text, files=_files):
    """Write the last `_BYTES_MAX` bytes of `text`, and count it; seconds to pause before a reset.

    The pause doubles with each failure in a row, so that a node that fails at once, or soon after
    each delivery, neither floods the broker nor empties its battery.
    """
    count = 0
    try:
        count = int(_files.read(_files.CRASHES, files) or b"0")
    except ValueError:
        pass  # Spoilt: begin again.
    try:
        _files.write_atomic(_files.CRASH, text.encode()[-_BYTES_MAX:], files)
        _files.write_atomic(_files.CRASHES, b"%d" % (count + 1), files)
    except OSError:
        pass  # A flash that is full or spoilt: the reset matters more.
    return min(_PAUSE_FIRST_S << min(count, 10), _PAUSE_MAX_S)
