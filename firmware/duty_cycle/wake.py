"""What lasted through a deep sleep, and whether this start is a wake from one.

Loaded first thing on a board with retained memory, so it is small: a wake for a pulse, or one that
came too early, ends in `firmware/duty_cycle/wake_stub.py`, before any of the node is loaded.
"""

from firmware.duty_cycle import rtc_memory


def wake(board, clock):
    """(state, records, uptime_ms) that lasted. state: {} unless this start is a wake in which the
    same boot goes on.

    Records survive any reset that leaves RTC memory whole; only a wake goes on in the same boot.
    Does not return if the board is better off asleep.
    """
    state, records = rtc_memory.unpack(board.retained())
    if board.reset_cause() != "deep-sleep" or "boot" not in state:
        return {}, records, 0
    # By how much a sleep may end early: its clock is a plain RC oscillator.
    tolerance_ms = max((state["next"] - state["rtc"]) // 20, 1500)
    early = clock.rtc_ms() < state.get("until", 0) - tolerance_ms
    if early or state.get("pins"):
        from firmware.duty_cycle import wake_stub

        wake_stub.again(board, clock, state, records, early)
    return state, records, state["uptime"] + max(clock.rtc_ms() - state["rtc"], 0)
