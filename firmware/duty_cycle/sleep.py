"""How a duty-cycled node sleeps on its board, and what it finds again when it wakes.

A board with retained memory (ESP32) sleeps deep: each wake is a new start, and the node's state
and its waiting readings lie in RTC memory, or on flash when they do not fit. Any other (RP2) keeps
its RAM in a light sleep; readings are put on flash before, for nothing else survives a dead cell.
"""

from micropython import const

from firmware.duty_cycle import rtc_memory
from firmware.duty_cycle.alarms import Alarms
from firmware.duty_cycle.cycle import Cycle

# What the counts of the watched pins may grow by in RTC memory, before the node wakes in full.
_COUNTS_BYTES = const(48)


def make_cycle(board, state, parts):
    """A `Cycle` that goes on from `state` ({}: a cold start). parts: those of a `Node`."""
    settings = parts[-2]
    limits = {}
    for sensor in settings["sensors"]:
        for alarm in sensor["alarms"]:
            limits[sensor["prefix"] + alarm["field"]] = alarm
    if not board.retained_bytes:
        # RAM and ticks go on in a light sleep. RP2's real-time clock counts whole seconds there,
        # and was seen to lose parts of them: by it, samples would drift off their grid.
        clock = parts[0]
        clock.rtc_ms = clock.uptime_ms
    for one in settings["sensors"]:
        if settings["low_battery"] and one["type"] == "supply" and one["pin"] is not None:
            board.supply_mv = _meter(board, one)
    watch = None
    if [one for one in settings["sensors"] if one.get("wake")]:
        from firmware.duty_cycle.watched_pins import Watch

        kept = state.get("pins", ()), state.get("woken")
        watch = Watch(board, parts[0], settings["sensors"], parts[-1], *kept)
    cycle = Cycle(board, Alarms(limits, state.get("alarms")), watch, state, *parts)
    if settings["awake_pin"] is not None:
        cycle.awake_pin = board.pin(settings["awake_pin"], "in", "up")
    if board.retained_bytes:
        cycle.boot_ms = board.time.ticks_ms()  # Ticks began with the board.
    cycle.sleep = lambda sleep_ms: sleep(cycle, board, sleep_ms)
    station, wire = cycle.link.station, cycle.link.session.wire
    hint = state.get("hint")
    if hint:
        station.hint = (hint[0], bytes.fromhex(hint[1]), hint[2])
    station.lease = state.get("lease")
    cycle.link.session.resume(state.get("early") or (0, 0))
    host, address = state.get("broker") or (None, None)
    if address and host == settings["mqtt"]["host"]:  # A command may have changed it.
        port = settings["mqtt"]["port"]
        wire.addresses[(host, port)] = [(0, 0, 0, "", (address, port))]  # Saves the look-up.
    return cycle


def _meter(board, config):
    """supply_mv() of a board that measures its supply through a divider."""
    from analog import Analog

    def supply_mv():
        try:
            return Analog(board.adc(config["pin"]), config["scale"] * 1000, decimals=0).read()[0]
        except (OSError, ValueError):
            return None  # The sensor's own error is in health; what is unknown is not low.

    return supply_mv


def sleep(node, board, sleep_ms):
    """Sleep; returns on a board that keeps its RAM, and starts anew on any other."""
    outbox, watch = node.outbox, node.watch
    if watch and not watch.due_ms():
        return  # An input has changed meanwhile.
    if node.awake_pin is not None and not node.awake_pin.value():
        node.stay_awake(sleep_ms)
        return
    if not board.retained_bytes:
        outbox.spill()
        _light_sleep(node, board, sleep_ms)
        return
    station = node.link.station
    state = node.freeze()
    state["until"] = state["next"]
    hint = station.hint
    # JSON has no bytes: MicroPython writes what it cannot read again.
    state["hint"] = (hint[0], hint[1].hex(), hint[2]) if hint else None
    state["lease"] = station.lease
    session = node.link.session
    state["broker"] = (session.server, _numeric(session.wire.addresses))
    # A broker that closes on what comes before CONNACK would do so at every wake.
    state["early"] = session.rides()
    limit_bytes = board.retained_bytes
    if watch:
        from firmware.duty_cycle import wake_stub

        state["pins"], state["woken"] = watch.keep(), watch.counts
        limit_bytes -= _COUNTS_BYTES
        now_ms = node.clock.rtc_ms()
        try:
            sleep_ms = min(sleep_ms, wake_stub.arm(board, state, now_ms))
            watch.error = None
        except ValueError as error:
            watch.refuse(error)
        state["until"] = now_ms + sleep_ms
        state["pin_error"] = watch.error
    block = rtc_memory.pack(state, outbox.in_ram(), limit_bytes)
    if block is None:
        outbox.spill()
    while block is None:
        state.update(node.freeze())  # With what this has dropped so far.
        block = rtc_memory.pack(state, outbox.in_ram(), limit_bytes)
        if block is None:
            outbox.shed()  # No flash, or a flash that refuses: what does not fit is counted.
    board.retain(block)
    board.deep_sleep(sleep_ms)


def _light_sleep(node, board, sleep_ms):
    watch = node.watch
    end_ms = node.clock.rtc_ms() + sleep_ms
    while sleep_ms > 0:
        due_ms = watch.due_ms() if watch else sleep_ms
        if not due_ms:
            return
        board.light_sleep(min(sleep_ms, due_ms), watch)
        sleep_ms = end_ms - node.clock.rtc_ms()


def _numeric(addresses):
    """The broker's address, numeric; None if the port hides it."""
    for found in addresses.values():
        address = found[0][-1]
        return address[0] if isinstance(address, tuple) else None
    return None
