"""A configuration with errors: nothing is started, and the console and the LED say why."""


def refuse(board, clock, log, errors):
    """Start nothing on a bad configuration, but say so, over and over, and blink."""
    from firmware.led import Signals

    signals = Signals(board.led, clock)
    while True:
        for error in errors:
            log("configuration: %s" % error)
        log("configuration: %d errors, nothing started; Ctrl-C for the REPL" % len(errors))
        try:
            for _ in range(90):
                clock.sleep_ms(signals.step("configuration"))
        except KeyboardInterrupt:
            signals.step(None)
            return
