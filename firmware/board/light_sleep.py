"""A light sleep of any length that feeds the watchdog: loaded by a node that sleeps."""

from micropython import const

# A light sleep that ends this much early was cut short: some versions return at once.
_SHORT_MS = const(50)
_AWAKE_MS = const(1000)


def sleep(board, lightsleep, ms, watch):
    """What `Board.light_sleep` promises, in slices of `lightsleep(ms)`."""
    time = board.time
    limit_ms = board.sleep_max_ms
    if board.watchdog_ms:
        limit_ms = min(limit_ms, board.watchdog_ms // 2)
    while ms > 0:
        slice_ms = min(ms, limit_ms)
        board.feed()
        start = time.ticks_ms()
        lightsleep(slice_ms)
        slept_ms = time.ticks_diff(time.ticks_ms(), start)
        if slept_ms < slice_ms - _SHORT_MS and not (watch and watch.stirred()):
            board.short_sleeps += 1
            time.sleep_ms(min(slice_ms - slept_ms, _AWAKE_MS))
            slept_ms = time.ticks_diff(time.ticks_ms(), start)
        if watch and watch.changed():
            break  # Even at the end of a slice: the next one would sleep through the change.
        ms -= max(slept_ms, 1)
    board.feed()
