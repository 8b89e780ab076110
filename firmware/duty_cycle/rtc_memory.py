"""A duty-cycled node's memory across deep sleep: one block of bytes, in RTC memory.

Loaded first thing on a board that has such memory, so it is small. A wake for a pulse, or one that
came too early, ends in `firmware/duty_cycle/wake_stub.py`, before any of the node is loaded.

The state as JSON, then each record; before each of them its length in two bytes. `settings` are
the state's second line, JSON by themselves: only a wake that only reads has a use for them. The
board guards the whole with a CRC (firmware/board/esp32.py): what comes back is right, or b"".

This is all of the state, by its keys; times are milliseconds of the real-time clock (rtc) or
uptime (up). Whoever changes a key or its meaning raises VERSION: a state of another version is
refused, and the node starts a new boot, as after a reset. Its records are taken in every case.

| key | what it is |
|---|---|
| version | VERSION of the firmware that fell asleep |
| boot, seq | of the next reading |
| uptime | up, when it fell asleep |
| rtc | rtc, when it fell asleep |
| next, interval | rtc of the next reading of the grid, and the interval in force (grid.py) |
| until | rtc at which the board wakes: `next`, or earlier to look at a pin |
| deliver, failed | rtc before which no delivery is tried, and failures in a row (grid.py) |
| lead | readings that the present batch goes without (grid.py) |
| gather | readings for a delivery, by the settings and the pace |
| pace | what is known of the fleet's pace (firmware/remote/pace.py) |
| listen | [ms after the last acknowledgement at which a command came, or null; deliveries] |
| urgent | the next wake delivers, whatever its batch lacks |
| health | up, when `…/health` is due |
| ntp | [up at which the time server is asked next, ms until it is asked after one more failure] |
| alarms | field -> [beyond its limit, last delivered value] (alarms.py) |
| described | fields that Home Assistant was told of (firmware/remote/home_assistant.py) |
| refused | topics that the broker does not take from us |
| lost | [dropped, corrupt, refused] of the outbox in this boot |
| hint | [SSID, BSSID in hex, channel] of the access point, or null |
| lease, lease_at | (address, mask, gateway, DNS server) or null, and the rtc of its start |
| broker | [host, its address] |
| early | what is known of packets before CONNACK (`Session.early_state`) |
| careful | what the broker closes on, or null (firmware/net/mqtt_careful.py) |
| short, row | sleeps that were cut short, in all and since the last reading |
| pins, woken | the watched pins, and wakes by them (wake_stub.py) |
| pin_error | why a pin cannot wake the board, or null |
| alone | readings on flash, if the next wake needs its sensors alone (reading_wake.py), or null |
| settings | for such a wake, if there is room: what it takes of them, as JSON (sleep.py) |
| input | this wake is for an input that has changed (wake_stub.py) |
"""

import json

from micropython import const

from firmware.log import LEVELS

VERSION = const(5)
# What most sensors have in their settings, and `settings` of the state leaves out (sleep.py).
PLAIN = {"prefix": "", "every": 1, "median": 1, "fields": [], "calibration": [], "alarms": []}


def dumps(value):
    """JSON without its spaces."""
    return json.dumps(value, separators=(",", ":"))


def pack(state, records, limit_bytes):
    """The block, or None if it would be longer than `limit_bytes`. state: a dict for JSON."""
    state = dict(state)
    state["version"] = VERSION
    settings = state.pop("settings", None)
    text = dumps(state).encode()
    parts = [text + b"\n" + settings if settings else text]
    parts.extend(records)
    if sum([2 + len(part) for part in parts]) > limit_bytes:
        return None
    return b"".join([len(part).to_bytes(2, "little") + part for part in parts])


def unpack(block):
    """(state, records) of a block; ({}, []) of one that is empty or none of ours.

    A state that cannot be read, or is of another version, is {}, and costs no record.
    """
    parts = []
    at = 0
    while at + 2 <= len(block):
        size = block[at] | block[at + 1] << 8
        parts.append(bytes(block[at + 2 : at + 2 + size]))
        at += 2 + size
    if at != len(block) or not parts:
        return {}, []
    text, _, settings = parts[0].partition(b"\n")
    try:
        state = json.loads(text)
    except ValueError:
        state = None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        state = {}
    elif settings:
        state["settings"] = settings
    return state, parts[1:]


def recall(board, clock):
    """(state, records, uptime_ms) that lasted. state: {} unless this start is a wake in which the
    same boot goes on.

    Records survive any reset that leaves RTC memory whole; only a wake goes on in the same boot.
    Does not return if the board is better off asleep.
    """
    state, records = unpack(board.retained())
    if board.reset_cause() != "deep-sleep" or "boot" not in state:
        # Not to be believed later either: by then the settings may be others, and whoever sleeps
        # need not be a node (firmware/portal/run.py).
        board.retain(pack({}, records, board.retained_bytes))
        return {}, records, 0
    # By how much a sleep may end early: its clock is a plain RC oscillator.
    tolerance_ms = max((state["next"] - state["rtc"]) // 20, 1500)
    early = clock.rtc_ms() < state.get("until", 0) - tolerance_ms
    if early or state.get("pins"):
        from firmware.duty_cycle import wake_stub

        wake_stub.again(board, clock, state, records, early, pack)
    return state, records, state["uptime"] + max(clock.rtc_ms() - state["rtc"], 0)


def measure(board, clock, settings, log, state, records):
    """Take the reading of a wake that needs no more, and sleep on; see reading_wake.py. Returns if
    this wake needs the node. settings: None for those that were kept with the state."""
    if state.get("alone") is not None:
        from firmware.duty_cycle import reading_wake

        if settings is None:
            settings = json.loads(state["settings"])
            settings["sensors"] = [dict(PLAIN, **one) for one in settings["sensors"]]
            log.level = LEVELS.index(settings["log_level"])
        reading_wake.take(board, clock, settings, log, state, records, pack)
        state["alone"] = None  # It has said why, and is not asked again.
