"""Which pack of modules a start runs while an update is on trial. Loaded by boot.py, only then.

It is never part of an update itself: whatever a new firmware does, three of its starts that came
to nothing bring the one before it back. docs/updates.md describes the files.
"""

import json
import sys

# By these names they are not looked for on flash first: see lib/module_pack.py.
import umachine as machine
from micropython import const
from uos import remove, rename, stat

_DEEP_SLEEP = const(4)  # machine.DEEPSLEEP_RESET, which RP2 has not
_STARTS_MAX = const(3)
# A firmware that hangs, or ends at the REPL, must come to its next start. The first is the most
# that RP2 counts (datasheet, 4.7); the second leaves an ESP32 time for all that a start may do.
_WATCHDOG_RP2_MS = const(8388)
_WATCHDOG_MS = const(120000)
_OLD = ("/firmware.pack", "/.pack")
_TRIAL = "/.deploy/trial"


def choose():
    """(path, place): of the pack to mount, and where, which tells the firmware what it is.

    Counts the start, unless it is a wake from deep sleep, before anything of the pack runs. Where
    the flash gives or takes nothing, the old pack runs this time.
    """
    try:
        with open(_TRIAL) as file:
            note = json.load(file)
        path = _OLD[0]
        if note["kind"] == "pack":
            path = "/.deploy/" + note["sha"]
            stat(path)
        if machine.reset_cause() != _DEEP_SLEEP:
            try:
                # What one firmware has checked is not what the other would.
                remove("/config.checked")
            except OSError:
                pass  # It has not checked yet.
            if note["starts"] >= _STARTS_MAX:
                rename(_TRIAL, "/.deploy/failed")
                return _OLD
            note["starts"] += 1
            with open(_TRIAL + ".new", "w") as file:
                json.dump(note, file)
            rename(_TRIAL + ".new", _TRIAL)
    except (OSError, ValueError, KeyError, TypeError):
        return _OLD
    machine.WDT(timeout=_WATCHDOG_RP2_MS if sys.platform == "rp2" else _WATCHDOG_MS)
    return path, "/.trial"
