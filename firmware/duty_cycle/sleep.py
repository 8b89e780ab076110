"""How a duty-cycled node sleeps on its board, and what it finds again when it wakes.

A board with retained memory (ESP32) sleeps deep: each wake is a new start, and the node's state
and its waiting readings lie in RTC memory, or on flash when they do not fit. Any other (RP2) keeps
its RAM in a light sleep; readings are put on flash before, for nothing else survives a dead cell.
"""

from micropython import const

from firmware.duty_cycle import rtc_memory

# What the counts of the watched pins may grow by in RTC memory, before the node wakes in full.
_COUNTS_BYTES = const(48)

# What a wake that only reads has to know of the settings, and of each sensor among them.
_SETTINGS = ("sample_s", "low_battery", "watchdog_s", "log_level", "profile")
_PARTS = (("retry", "cap_s"), ("outbox", "ram_readings"))
_SENSOR = ("name", "recipe", "ranges", "measures_supply", "pin", "scale")


class Sleep:
    """Call it with the node and milliseconds: it returns on a board that keeps its RAM.

    now_ms(): of the clock that the node plans by. watch: watched_pins.py, or None. kept: the state
    that a deep sleep kept, from which `link` gets back what it knew of its network.
    """

    def __init__(self, board, settings, now_ms, watch, link, kept, log):
        self._board = board
        self._settings = settings
        self._now_ms = now_ms
        self._watch = watch
        self._link = link
        self._log = log
        pin = settings["awake_pin"]  # held low: the node does not sleep
        self._awake_pin = None if pin is None else board.pin(pin, "in", "up")
        station, session = link.station, link.session
        hint = kept.get("hint")
        if hint:
            station.hint = (hint[0], bytes.fromhex(hint[1]), hint[2])
        station.lease = kept.get("lease")
        if kept:
            session.resume(kept["early"])
        if kept.get("careful"):
            from firmware.net.mqtt_careful import Careful

            session.careful = Careful(session, link.clock.uptime_ms, log, kept["careful"])
        host, address = kept.get("broker") or (None, None)
        if address and host == settings["mqtt"]["host"]:  # A command may have changed it.
            port = settings["mqtt"]["port"]
            # Saves the look-up.
            session.wire.addresses[(host, port)] = [(0, 0, 0, "", (address, port))]

    def __call__(self, node, sleep_ms):
        board, watch = self._board, self._watch
        if watch and not watch.due_ms():
            return  # An input has changed meanwhile.
        if self._awake_pin is not None and not self._awake_pin.value():
            self._log("kept awake by its pin")
            self._stay_awake(node.clock, sleep_ms)
        elif board.retained_bytes:
            self._sleep_deep(node, sleep_ms)
        else:
            node.outbox.spill()
            self._sleep_lightly(sleep_ms)

    def _stay_awake(self, clock, duration_ms):
        """In place of a sleep: nothing is done, but the console answers and RAM stays."""
        while duration_ms > 0 and not (self._watch and not self._watch.due_ms()):
            slice_ms = min(duration_ms, 500)
            self._board.feed()
            clock.sleep_ms(slice_ms)
            duration_ms -= slice_ms

    def _sleep_lightly(self, sleep_ms):
        board, watch = self._board, self._watch
        end_ms = self._now_ms() + sleep_ms
        while sleep_ms > 0:
            due_ms = watch.due_ms() if watch else sleep_ms
            if not due_ms:
                return
            board.light_sleep(min(sleep_ms, due_ms), watch)
            sleep_ms = end_ms - self._now_ms()

    def _sleep_deep(self, node, sleep_ms):
        board, watch, outbox = self._board, self._watch, node.outbox
        state = node.keep()
        state.update(self._network())
        state["until"] = state["next"]
        if state["alone"] is not None:
            state["settings"] = _for_reading(self._settings)
        limit_bytes = board.retained_bytes
        if watch:
            from firmware.duty_cycle import wake_stub

            state["pins"], state["woken"] = watch.keep(), watch.counts
            limit_bytes -= _COUNTS_BYTES
            now_ms = self._now_ms()
            try:
                sleep_ms = min(sleep_ms, wake_stub.arm(board, state, now_ms))
                watch.error = None
            except ValueError as error:
                watch.refuse(error)
            state["until"] = now_ms + sleep_ms
            state["pin_error"] = watch.error
        block = rtc_memory.pack(state, outbox.in_ram(), limit_bytes)
        if block is None and "settings" in state:
            del state["settings"]
            block = rtc_memory.pack(state, outbox.in_ram(), limit_bytes)
        if block is None:
            outbox.spill()
        while block is None:
            state.update(node.keep())  # With what this has dropped so far.
            block = rtc_memory.pack(state, outbox.in_ram(), limit_bytes)
            if block is None:
                outbox.shed()  # No flash, or a flash that refuses: what does not fit is counted.
        board.retain(block)
        board.deep_sleep(sleep_ms)

    def _network(self):
        """What is known of the network, as a dict for JSON."""
        station, session = self._link.station, self._link.session
        hint = station.hint
        return {
            # JSON has no bytes: MicroPython writes what it cannot read again.
            "hint": (hint[0], hint[1].hex(), hint[2]) if hint else None,
            "lease": station.lease,
            "broker": (session.server, _numeric(session.wire.addresses)),
            # A broker that closes on what comes before CONNACK would do so at every wake.
            "early": session.early_state(),
            "careful": session.careful and session.careful.keep(),
        }


def _for_reading(settings):
    """JSON of what reading_wake.py takes of these."""
    kept = {name: settings[name] for name in _SETTINGS}
    for name, part in _PARTS:
        kept[name] = {part: settings[name][part]}
    kept["sensors"] = sensors = []
    for sensor in settings["sensors"]:
        one = {name: sensor[name] for name in _SENSOR if name in sensor}
        plain = rtc_memory.PLAIN
        one.update({name: sensor[name] for name in plain if sensor[name] != plain[name]})
        sensors.append(one)
    return rtc_memory.dumps(kept).encode()


def _numeric(addresses):
    """The broker's address, numeric; None if the port hides it."""
    for found in addresses.values():
        address = found[0][-1]
        return address[0] if isinstance(address, tuple) else None
    return None
