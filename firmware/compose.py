"""Builds a node of its parts. The only module that knows all the others.

Its heap is given back when it has done its work (`firmware.app.build`).
"""

from firmware import files


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

        security, wire = secured(board, clock, settings, idle)
    else:
        from wire import Wire

        wire = Wire(board.socket, board.select, clock, idle, board.hold_watchdog)
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
    from firmware.net.link import Link
    from firmware.net.time_sync import Timekeeper
    from firmware.node import AlwaysOn, Uplink, topics
    from firmware.readings import record as reading
    from firmware.readings.boot_count import FAILED_STARTS_MAX, Identity
    from firmware.readings.delivery import Delivery
    from firmware.readings.outbox import Outbox, crc32
    from firmware.readings.sampler import Sampler
    from firmware.readings.sensors import Sensors
    from firmware.remote.health import Health
    from firmware.remote.inbox import Inbox

    def receive(topic, payload, retained):
        inbox.receive(topic, payload, retained)
        if discovery:
            discovery.receive(topic, payload, retained)
        if updates:
            updates.receive(topic, payload)

    def sntp():
        # A node that is told the time by nobody, or a wake that has no need to ask, goes without.
        from sntp import Sntp

        return Sntp(board.socket, board.select, clock)

    def pause():
        if idle:
            idle()
        if not sleeps:
            sampler.step()  # Readings keep to their grid, however long the broker is waited for.

    station, session, security = connection(board, clock, settings, pause, receive)
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
    root = topics(settings["mqtt"]["base"], settings["node"])
    updates = None
    if files.exists(files.UPDATE_KEYS, file_system):
        from firmware.update.doorway import Doorway

        updates = Doorway(root, board, settings, session, clock, file_system, log)
        if updates.came_back():
            identity.forgive()
    in_safe_mode = identity.failed_starts >= FAILED_STARTS_MAX
    sleeps = settings["mode"] == "duty_cycle" and not in_safe_mode

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

        sampler = NoSampler(clock, identity, restart, log)
    else:
        configs = settings["sensors"]
        if sleeps:
            from firmware.duty_cycle.cycle import DutyCycle, watch_pins

            watch, configs = watch_pins(board, clock, configs, log, state)
        sensors = Sensors(configs, board, log)
        sampler = Sampler(
            sensors,
            outbox,
            identity,
            clock,
            settings["sample_s"] * 1000,
            log,
            crc32(session.client_id),
        )
    discovery = signals = None
    if files.read(files.TRIAL, file_system):
        # A changed setting has to prove itself, or its verdict to be told.
        from firmware.config.change import Trial

        trial = Trial(file_system)
    inbox = Inbox(root + b"cmd", trial, file_system, restart, log)
    if settings["pace"]:
        from firmware.remote.pace import join

        inbox, delivery = join(inbox, delivery, outbox, link, settings, state)
    if updates:
        trial = updates.on_trial(trial)
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
        updates,
    )
    ntp = settings["ntp"]
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
    node.uplink.commands.keep(node)
    if node.uplink.updates:
        node.uplink.updates.leave()
    if node.link.is_up:
        node.uplink.say_offline()
    node.link.close()
