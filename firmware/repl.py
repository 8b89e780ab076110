"""One message, from the board's REPL: `from firmware import publish; publish("topic", "text")`."""

from firmware import app, compose

_TIME_MS = 30000


def publish(topic, message, qos, retain):
    """See `firmware.publish`."""
    from firmware.board import Board
    from firmware.clock import Clock

    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    settings, errors = app.read_settings()
    if errors:
        raise ValueError("\n".join(errors))
    # A client id of its own: the broker would end the running node's session otherwise.
    settings["node"] += "-repl"
    settings["mqtt"]["keepalive_s"] = 30
    settings["mqtt"]["clean"] = True
    station, session, security = compose.connection(board, clock, settings)
    session.lw_topic = None  # A person at the REPL who goes away is no news.
    try:
        station.start()
        while not station.step():
            clock.sleep_ms(100)
        if security:
            _await_time(board, clock, settings["ntp"], security)
        session.open()
        print("connected to %s:%d" % (session.server, session.port))
        print("publishing to %s: %s" % (topic, message))
        session.publish(_bytes(topic), _bytes(message), retain, qos)
        session.flush()
        while session.waits():
            session.wire.wait(session.due_ms())
            session.poll()
        print("delivery complete")
    finally:
        session.close()
        print("disconnected")


def _await_time(board, clock, ntp, security):
    """Let the clock be set, if the broker's certificate cannot be checked otherwise."""
    from firmware.net.time_sync import Timekeeper

    def make_sntp():
        from sntp import Sntp

        return Sntp(board.socket, board.select, clock)

    timekeeper = Timekeeper(make_sntp, clock, board, ntp["host"], ntp["interval_s"], print)
    end_ms = clock.uptime_ms() + _TIME_MS
    while True:
        reason = security.waits()
        if not reason:
            return
        if clock.uptime_ms() > end_ms:
            raise OSError(reason)
        clock.sleep_ms(min(timekeeper.step(), 1000))


def _bytes(value):
    return value.encode() if isinstance(value, str) else value
