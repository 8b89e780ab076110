"""Reads the configuration, builds the node and runs it; catches what escapes, once.

The only module that knows all the others.
"""

from micropython import const

from firmware import VERSION, files
from firmware.config.load import load_checked

_TICK_MS = const(500)
# A node that has run so long starts well (ESPHome counts a boot as good after the same minute).
_GOOD_MS = const(60000)


class ConfigError(Exception):
    """What the schema cannot see is wrong with the configuration: the text begins with the key."""


def read_settings():
    """(settings, errors): as they are kept, or checked anew, which takes time and memory."""
    settings = load_checked()
    if settings:
        return settings, ()
    from firmware.config.verify import check_and_keep

    return check_and_keep()


def connection(board, clock, settings, idle=None, on_message=None):
    """(station, session, security): what a node, or a single publish, connects with.

    security: a firmware/net/tls.py, or None. Raises ConfigError.
    """
    from firmware import node
    from firmware.net.mqtt_session import Session
    from firmware.net.wifi import Station

    wifi, mqtt = settings["wifi"], settings["mqtt"]
    static = wifi["static"]
    station = Station(
        board.radio,
        clock,
        wifi["networks"],
        int(wifi["join_timeout_s"] * 1000),
        wifi["hostname"] or settings["node"],
        wifi["country"],
        wifi["power"],
        (static["address"], static["mask"], static["gateway"], static["dns"]) if static else None,
    )
    security = None
    if mqtt["tls"]:
        from firmware.net.tls import secured

        try:
            security, wire = secured(board, clock, settings, idle)
        except ValueError as error:
            raise ConfigError(str(error))
    else:
        from wire import Wire

        wire = Wire(board.socket, board.select, clock, idle, board.patient)
    session = Session(
        wire,
        settings["node"],
        mqtt["host"],
        mqtt["port"],
        mqtt["user"],
        mqtt["password"],
        mqtt["keepalive_s"],
        mqtt["clean"],
        node.will(mqtt["base"], settings["node"]),
        int(mqtt["timeout_s"] * 1000),
        mqtt["early"],
        mqtt["window"],
        on_message,
    )
    return station, session, security


def build(
    board, clock, settings, log, file_system=files, idle=None, state=None, records=(), trial=None
):
    """A node, always on or duty-cycled, of its parts. `file_system`: as firmware/files.py.

    state, records: what a deep sleep kept of the node and of its outbox
    (firmware/duty_cycle/rtc_memory.py). trial: of the set-up page's settings, if there is one.
    """
    from sntp import Sntp

    from firmware.net.link import Link
    from firmware.net.time_sync import Timekeeper
    from firmware.node import AlwaysOn, Uplink, topics
    from firmware.readings import record as reading
    from firmware.readings.boot_count import FAILED_STARTS_MAX, Identity
    from firmware.readings.delivery import Delivery
    from firmware.readings.outbox import Outbox
    from firmware.readings.sampler import Sampler
    from firmware.readings.sensors import Sensors
    from firmware.remote.health import Health
    from firmware.remote.inbox import Inbox

    def receive(topic, payload, retained):
        inbox.receive(topic, payload, retained)
        if discovery:
            discovery.receive(topic, payload, retained)

    station, session, security = connection(board, clock, settings, idle, receive)
    outbox_keys = settings["outbox"]
    outbox = Outbox(
        file_system,
        "outbox" if outbox_keys["flash_kib"] else None,
        outbox_keys["ram_readings"],
        outbox_keys["flash_kib"] // 4,
    )
    for record in records:
        outbox.put(record)
    resume = (state["boot"], state["seq"]) if state else None
    identity = Identity(file_system, board.random_u32, resume, board.reset_cause())
    in_safe_mode = identity.failed_starts >= FAILED_STARTS_MAX
    sleeps = settings["mode"] == "duty_cycle" and not in_safe_mode
    root = topics(settings["mqtt"]["base"], settings["node"])

    def render(record):
        return reading.payload(record, identity.boot, clock.uptime_ms() // 1000, clock.unix_s())

    delivery = Delivery(outbox, session, root + b"telemetry", render)
    link = Link(station, session, clock, settings["retry"], board.random_u32, log, security)
    if security:
        security.log_notices(log)
    lost = not state and files.read(files.LOSSES, file_system)
    if lost:
        from firmware.readings import loss_counts

        loss_counts.restore(outbox, lost)

    def restart():
        from firmware.readings import loss_counts

        stop(node)
        loss_counts.keep(outbox, file_system)
        board.restart()

    if in_safe_mode:
        from firmware.safe_mode import NoSampler

        sampler = NoSampler(clock, identity, restart)
        log("safe mode: %d starts came to nothing" % identity.failed_starts)
    else:
        configs = settings["sensors"]
        if sleeps:
            from firmware.duty_cycle.cycle import DutyCycle, watch_pins

            watch, configs = watch_pins(board, clock, configs, log, state)
        sensors = Sensors(configs, board)
        interval_ms = int(settings["sample_s"] * 1000)
        sampler = Sampler(sensors, outbox, identity, clock, interval_ms, log)
    discovery = signals = None
    if files.read(files.TRIAL, file_system):
        # A changed setting has to prove itself, or its verdict to be told.
        from firmware.config.change import Trial

        trial = Trial(file_system)
    inbox = Inbox(root + b"cmd", trial, file_system, restart, log)
    if settings["home_assistant"]:
        from firmware.remote.home_assistant import Discovery

        discovery = Discovery(session, settings, sampler, board, state)
    if settings["led"]:
        from firmware.led import Signals

        signals = Signals(board.led, clock)
    uplink = Uplink(
        clock,
        session,
        outbox,
        delivery,
        root,
        Health(board, file_system),
        inbox,
        discovery,
        settings,
        log,
    )
    ntp = settings["ntp"]
    sntp = Sntp(board.socket, board.select, clock)
    timekeeper = Timekeeper(sntp, clock, board, ntp["host"], ntp["interval_s"], log)
    both = (
        clock,
        settings,
        log,
        sampler,
        link,
        uplink,
        timekeeper,
        identity,
        restart,
        trial,
        signals,
    )
    if sleeps:
        node = DutyCycle(*both, board, state or {}, watch)
    else:
        node = AlwaysOn(*both, b"safe_mode" if in_safe_mode else b"online")
    return node


def stop(node):
    """Say that the node goes, and keep what has not been delivered."""
    node.outbox.spill()
    if node.link.is_up:
        node.uplink.say_offline()
    node.link.close()


def run():
    """The node's life. Returns only when a person interrupts it."""
    from firmware.board import Board
    from firmware.clock import Clock
    from firmware.log import LEVELS, Log

    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    log = Log(clock)
    state, records = {}, ()
    node = pending = None
    try:
        if board.retained_bytes and board.retained():
            from firmware.duty_cycle import wake

            state, records, uptime_ms = wake.wake(board, clock)
            clock = Clock(board.time, board.clock_is_set(), uptime_ms)
            log = Log(clock)
        log("Fieldpost %s on %s, reset: %s" % (VERSION, board.version(), board.reset_cause()))
        if files.read(files.SETUP):
            from firmware.portal.first_connection import Pending

            pending = Pending()
        settings, errors = read_settings()
        if settings:
            log.level = LEVELS.index(settings["log_level"])
            window_s = settings["boot_window_s"]
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
        watchdog_s = settings["watchdog_s"]
        if watchdog_s is None:
            watchdog_s = board.watchdog_s
        feed = board.feed if watchdog_s else None
        node = build(board, clock, settings, log, files, feed, state, records, pending)
        log("ready: %s, boot %d" % (settings["node"], node.identity.boot))
        if feed:
            board.start_watchdog(watchdog_s * 1000)
        loop(node, clock, feed)
    except ConfigError as error:
        _refuse(board, clock, log, [str(error)])
    except KeyboardInterrupt:
        if node:
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
        if unproven and (node.delivery.delivered or not young or node.sleeping):
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
