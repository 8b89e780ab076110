"""Whether there is a reason to open the page, and what becomes of a start that has one."""

from firmware.config.verify import MISSING


def set_up(board, clock, log, settings, errors, pending):
    """Let a person choose network and broker, without a computer, if there is a reason to.

    Restarts once they did. Returns without a reason, or if nobody came and the node can start.
    errors: what is wrong with the files; then there are no settings. pending: of
    firmware/portal/first_connection.py, or None.
    """
    if errors and not all(error.endswith(MISSING) for error in errors):
        return  # Somebody has to repair a file: it may hold what cannot be typed again.
    woken = board.reset_cause() == "deep-sleep"
    why = pending.why if pending else None
    pin = settings["setup_pin"] if settings and not woken else None
    if not (why or errors or (pin is not None and _is_held(board, pin, log))):
        return
    if board.access_point() is None:
        return
    from firmware.portal import run

    has_led = not settings or settings["led"]
    if not (errors and woken) and run.run(board, clock, log, pending, has_led):
        board.restart()
    if why:
        pending.close()
    if errors:
        run.rest(board, clock, log)


def _is_held(board, pin, log):
    try:
        return not board.pin(pin, "in", "up").value()
    except (OSError, ValueError) as error:
        log("setup_pin: %s" % error)
        return False
