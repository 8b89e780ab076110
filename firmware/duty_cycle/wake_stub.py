"""Short wakes from deep sleep: this counts a pulse, or sees that it woke too early, and sleeps on.

It reads neither the configuration nor a sensor, and leaves the radio off: all that it needs lies
in RTC memory. `state["pins"]` has for each pin that is watched (watched_pins.py)
`[number, pull, level, debounce_ms, count, ready_ms, changed]`: the level that was seen last (an
input's: published last), what has been counted (None: an input), the time before which an input
must not wake the board again, and whether it has come and gone. `state["woken"]` counts the wakes
by pins: since the last reading, in all, and how often there were too many of them.
"""

from micropython import const

_LEVEL = const(2)
_DEBOUNCE = const(3)
_COUNT = const(4)
_READY = const(5)
_CHANGED = const(6)

# A contact that opens within this time costs no second wake.
_RELEASE_MS = const(250)
_POLL_MS = const(5)
# With so little left, the reading that is due is taken at once.
_SOON_MS = const(1000)
# Sleeps that were cut short in a row, after which the rest is slept out in a light sleep.
_CUT_SHORT_MAX = const(3)
# A pin that flaps may wake the board this often between two readings, or once in four seconds.
_WAKES_MIN = const(20)
_WAKE_EVERY_MS = const(4000)
_GIVEN_UP = const(1000000)  # in place of the count, until the next reading
_LONG_MS = const(0x3FFFFFFF)


def again(board, clock, state, records, early, pack):
    """Look at the pins, and sleep on. Returns if a reading is due, or an input has changed: then
    `state["input"]` is True. early: whether the sleep was shorter than it should have been.
    pack: as in rtc_memory.py."""
    pins = state.get("pins")
    which = board.waker().woken_by() if pins else None
    changed = _look(board, clock, pins, which) if pins else False
    now_ms = clock.rtc_ms()
    if which is not None:
        state["woken"][0] += 1
        state["woken"][1] += not changed  # the node itself counts the others
    elif early:
        state["short"] = state.get("short", 0) + 1
        state["row"] = state.get("row", 0) + 1
    left_ms = state["next"] - now_ms
    # Longer than the whole sleep: the clock is not what it was.
    if changed or not _SOON_MS < left_ms <= state["next"] - state["rtc"]:
        state["input"] = changed
        return
    if state.get("row", 0) > _CUT_SHORT_MAX:
        board.light_sleep(left_ms)
        return
    sleep_ms = left_ms
    try:
        sleep_ms = min(left_ms, arm(board, state, now_ms) if pins else _LONG_MS)
    except ValueError:
        pass  # The node has said so before it slept (sleep.py), and goes on without.
    state["until"] = now_ms + sleep_ms
    block = pack(state, records, board.retained_bytes)
    if block is not None:
        board.retain(block)
        board.deep_sleep(sleep_ms)


def _look(board, clock, pins, which):
    """Count what has happened; True if an input has changed and is to be published now."""
    changed = False
    for index, one in enumerate(pins):
        woke = index == which
        is_counter = one[_COUNT] is not None
        level = _settle(board, board.pin(one[0], "in", one[1]), one[_DEBOUNCE], is_counter)
        if is_counter:
            # It fell while the board slept, or fell again while it started.
            if (one[_LEVEL] and (woke or not level)) or (woke and not level):
                one[_COUNT] += 1
            one[_LEVEL] = level
        else:
            if woke and level == one[_LEVEL]:
                one[_CHANGED] = 1
            if (one[_CHANGED] or level != one[_LEVEL]) and clock.rtc_ms() >= one[_READY]:
                changed = True
    return changed


def _settle(board, pin, debounce_ms, is_counter):
    """The level at a pin once it is steady; a counter's contact is given time to open."""
    level = pin.value()
    steady_ms = 0
    for _ in range(max(_RELEASE_MS, debounce_ms) // _POLL_MS):
        if steady_ms >= debounce_ms and (level or not is_counter):
            break
        board.time.sleep_ms(_POLL_MS)
        steady_ms += _POLL_MS
        if pin.value() != level:
            level = 1 - level
            steady_ms = 0
    return level


def arm(board, state, now_ms):
    """Let the coming deep sleep end when a pin changes; the ms after which to look again.

    Each pin is waited for at the level that it does not have, so one that stays as it is never
    wakes the board in a loop. ValueError, with the reason, if a pin cannot wake it.
    """
    counts = state["woken"]
    # Of the whole interval, not of what is left after an input has changed: the count goes on too.
    if max(state["interval"] // _WAKE_EVERY_MS, _WAKES_MIN) <= counts[0] < _GIVEN_UP:
        counts[0] = _GIVEN_UP
        counts[2] += 1
    look_ms = _LONG_MS
    wanted = []
    for one in state["pins"]:
        pause_ms = one[_READY] - now_ms
        if pause_ms > 0:
            look_ms = min(look_ms, pause_ms)
        wanted.append(
            None if pause_ms > 0 or counts[0] >= _GIVEN_UP else (one[0], 1 - one[_LEVEL])
        )
    board.waker().arm(wanted)
    return look_ms
