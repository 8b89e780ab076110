"""Fieldpost: firmware for Wi-Fi sensors that publish over MQTT."""

VERSION = "0.1.0"


class ConfigError(Exception):
    """What the schema cannot see is wrong with the configuration: the text begins with the key."""


def start():
    """The life of the board: what main.py calls. Returns only when a person interrupts it.

    A wake from deep sleep that needs no node ends in here. What has the rest is loaded only then.
    """
    from firmware.board import Board
    from firmware.clock import Clock
    from firmware.log import Log

    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    log = Log(clock)
    state, records, failure = {}, (), None
    try:
        if board.retained_bytes and board.retained():
            from firmware.duty_cycle.rtc_memory import measure, recall

            state, records, uptime_ms = recall(board, clock)
            clock = Clock(board.time, board.clock_is_set(), uptime_ms)
            log = Log(clock)
        log("Fieldpost %s on %s, reset: %s" % (VERSION, board.version(), board.reset_cause()))
        if "settings" in state:
            measure(board, clock, None, log, state, records)
    except (Exception, KeyboardInterrupt) as error:
        failure = error  # There, all that ends a life is seen to.
    from firmware.app import run

    run(board, clock, log, state, records, failure)


def publish(topic, message="Hello from Fieldpost", qos=0, retain=False):
    """Publish one message by the board's configuration, from its REPL, and say each step.

    Joins Wi-Fi, connects with a clean session and keepalive 30 s, waits for the delivery and
    disconnects. Raises `OSError` or `Refused` if that fails.
    """
    from firmware.repl import publish

    publish(topic, message, qos, retain)
