"""Reads the configuration, has the node built and runs it; catches what escapes, once."""

import gc
import sys

from micropython import const

from firmware import ConfigError, files, start

_TICK_MS = const(500)
# A firmware on trial that hangs must come back; boot.py has armed this one.
_TRIAL_WATCHDOG_S = const(60)
# A node that has run so long starts well (ESPHome counts a boot as good after the same minute).
_GOOD_MS = const(60000)


def read_settings():
    """(settings, errors): as they are kept, or checked anew, which takes time and memory."""
    from firmware.config.load import load_checked

    settings = load_checked()
    if settings:
        return settings, ()
    from firmware.config.verify import check_and_keep

    return check_and_keep()


def build(*parts):
    """As firmware/compose.py, whose heap is the node's then."""
    from firmware import compose

    node = compose.build(*parts)
    if sys.implementation.name == "micropython":
        # What the node calls keeps the names of this one, and so its functions, alive.
        del compose.build, compose.connection
        for name in ("firmware.compose", "firmware.config.load"):
            if name in sys.modules:
                folder, _, last = name.rpartition(".")
                delattr(sys.modules[folder], last)
                del sys.modules[name]
    return node


def run(board=None, clock=None, log=None, state=None, records=(), failure=None):
    """The node's life, of what `start` has. Returns only when a person interrupts it.

    failure: what the start has failed of, or None.
    """
    if not board:
        start()  # The main.py of a version before knows no other.
        return
    from firmware.log import LEVELS

    on_trial = "/.trial" in sys.path  # an update: see lib/pack_trial.py
    node = pending = None
    try:
        if failure:
            raise failure
        if not state and hasattr(gc, "threshold"):
            # Left alone, MicroPython collects only when the heap is full, so what is kept ends up
            # all over it. Measured on a Pico W with 118 kB free: largest piece 31 kB then, 102 kB
            # with this, for 20 ms in the delivery of 50 readings. A wake is over before such holes
            # could matter. (CPython has no such function.)
            gc.threshold(32768)
        if files.read(files.SETUP):
            from firmware.portal.first_connection import Pending

            pending = Pending()
        settings, errors = read_settings()
        if settings:
            log.level = LEVELS.index(settings["log_level"])
            window_s = 0 if on_trial else settings["boot_window_s"]
            if window_s and board.reset_cause() != "deep-sleep":
                # A person may interrupt a node here that would otherwise soon sleep or reset.
                log("starting in %g s: Ctrl-C for the REPL" % window_s)
                clock.sleep_ms(int(window_s * 1000))
        if pending or errors or settings["setup_pin"] is not None:
            from firmware.portal.entry import set_up

            set_up(board, clock, log, settings, errors, pending)
        if errors:
            _refuse(board, clock, log, errors)
            return
        if settings["watchdog_s"] is None:
            settings["watchdog_s"] = board.watchdog_s
        settings["watchdog_s"] = settings["watchdog_s"] or on_trial * _TRIAL_WATCHDOG_S
        if state:
            from firmware.duty_cycle.rtc_memory import measure

            measure(board, clock, settings, log, state, records)
        feed = board.feed if settings["watchdog_s"] else None
        node = build(board, clock, settings, log, files, feed, state, records, pending)
        log("ready: %s, boot %d" % (settings["node"], node.identity.boot))
        if feed:
            board.start_watchdog(settings["watchdog_s"] * 1000)
        loop(node, clock, feed)
    except ConfigError as error:
        _refuse(board, clock, log, [str(error)])
    except KeyboardInterrupt:
        if node:
            from firmware.compose import stop

            stop(node)
            if node.state != b"safe_mode":
                node.identity.proven()  # A person ended this start: it did not fail.
        board.let_go()
        log("stopped by hand; %d readings kept" % (node.outbox.on_flash if node else 0))
    except Exception as error:
        crashed(error, node, board, clock, log)


def loop(node, clock, feed=None, file_system=files):
    """Step `node` and wait, for ever. `feed()`: of an armed watchdog; without one nothing has to
    be done while nothing is due, and no wait is cut into slices."""

    wire = node.link.session.wire
    # In safe mode nothing is proven by running: that is left by command or by time.
    unproven = node.state != b"safe_mode"
    young = True
    while True:
        due_ms = node.step()
        if feed:
            feed()
        if young and clock.uptime_ms() >= _GOOD_MS:
            young = False
            # The next failure pauses briefly again (firmware/crash.py).
            files.discard(files.CRASHES, file_system)
        if unproven and (node.uplink.delivery.delivered or not young or node.sleeping):
            unproven = False
            node.identity.proven()
        if node.sleeping:
            node.sleep(due_ms)
            continue
        if due_ms <= 0:
            continue
        if wire.is_open():
            wire.wait(due_ms)
        else:
            end_ms = clock.uptime_ms() + due_ms
            while due_ms > 0:
                node.wait(min(due_ms, _TICK_MS) if feed else due_ms)
                if feed:
                    feed()
                due_ms = end_ms - clock.uptime_ms()


def _refuse(board, clock, log, errors):
    from firmware.bad_config import refuse

    refuse(board, clock, log, errors)


def crashed(error, node, board, clock, log, file_system=files):
    """Save what can be saved, keep the traceback, pause, restart."""
    try:
        if node:
            node.outbox.spill()
        from firmware import crash

        crash.tell(error, node, board, clock, log, file_system)
    except Exception as again:
        # No room for a report, perhaps: the restart makes some.
        log("while closing: %s" % again)
    board.restart()
