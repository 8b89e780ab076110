"""A wake from deep sleep that takes a reading and sleeps on: the node is not built, and nothing of
its network is loaded.

The node has said that this wake needs no more (`alone` of rtc_memory.py). What it knows and plans
goes on as it was kept, and the reading joins those that wait in RTC memory. Where an alarm asks
for the node after all, `state["read"]` says that this wake's reading is among the records.
"""

import json

from micropython import const

from firmware.duty_cycle.grid import grid_of
from firmware.readings import record as reading
from firmware.readings.sensors import Sensors, dumps

# A longer one is the outbox's to judge.
_RECORD_MAX = const(500)
# Readings differ in their digits, and so does the state.
_SPARE_BYTES = const(64)
_SLICE_MS = const(500)


def take(board, clock, settings, log, state, records, pack):
    """Take a reading, keep it, and sleep on. Returns if the node is needed after all: `state` and
    `records` are then what it goes on with.

    settings: all, or what sleep.py has kept of them. pack: as in rtc_memory.py.
    """
    outbox = settings["outbox"]
    size = 2 + len(records[-1]) if records else 0
    # What is kept of the settings gives way to readings.
    spare = len(state.get("settings", b""))
    room = board.retained_bytes - len(board.retained()) + spare - size
    if len(records) >= outbox["ram_readings"] or room < _SPARE_BYTES:
        return
    if settings["watchdog_s"]:
        board.start_watchdog(settings["watchdog_s"] * 1000)
    began_ms = clock.uptime_ms()
    boot_ms = clock.ticks_ms()
    plan = [state[name] for name in ("next", "deliver", "failed", "lead", "gather")]
    grid = grid_of(settings, *plan)
    stretch, may_deliver = 1, True
    if settings["low_battery"]:
        from firmware.duty_cycle.battery_policy import configured

        policy, supply_mv = configured(board, settings)
        supply_mv = supply_mv()
        stretch, may_deliver = policy.stretch(supply_mv), policy.may_deliver(supply_mv)
    grid.begin(False, stretch)
    fields, errors = _measure(board, clock, Sensors(settings["sensors"], board, log), state["seq"])
    for name, error in errors:
        log("sensor %s: %s" % (name, error))
    text = dumps(fields, errors)
    record = reading.encode_now(state["boot"], state["seq"], clock, text.encode())
    if len(record) > _RECORD_MAX:
        return
    urgent = _alarms(settings["sensors"], state, fields, may_deliver)
    waiting = state["alone"] + len(records) + 1
    now_ms = clock.rtc_ms()
    sleep_ms = grid.end(now_ms)
    plan = dict(state)
    plan["seq"] += 1
    if urgent:
        plan["urgent"] = True
    else:
        plan["next"] = plan["until"] = grid.next_ms
        plan["interval"] = grid.interval_ms()
        plan["rtc"] = now_ms
        plan["uptime"] = clock.uptime_ms()
        plan["row"] = 0
        if grid.delivers_next(waiting):
            plan["alone"] = None
    records.append(record)
    block = pack(plan, records, board.retained_bytes)
    if block is None and "settings" in plan:
        del plan["settings"]  # The next wake reads them from flash.
        block = pack(plan, records, board.retained_bytes)
    if block is None:
        records.pop()
        state["urgent"] = bool(urgent)  # That a limit was crossed is not seen twice.
        return
    # From here on nothing but a power cut can lose it.
    board.retain(block)
    log("sample %d stored%s" % (state["seq"], ", %d waiting" % waiting if waiting > 1 else ""))
    if urgent:
        log("alarm: %s" % ", ".join(urgent))
        state.update(plan)
        state["read"] = True
        return
    if settings["profile"]:
        times = {"boot_ms": boot_ms, "sample_ms": clock.uptime_ms() - began_ms}
        log("profile " + json.dumps(times))
    log("asleep for %.1f s" % (sleep_ms / 1000))
    board.deep_sleep(sleep_ms)


def _measure(board, clock, sensors, seq):
    """(fields, errors) as of `Sensors.collect`; the watchdog is fed while the sensors convert."""
    wait_ms = sensors.start(seq)
    board.throttle(True)
    while wait_ms:
        end_ms = clock.uptime_ms() + wait_ms + 1
        left_ms = wait_ms + 1
        while left_ms > 0:
            clock.sleep_ms(min(left_ms, _SLICE_MS))
            board.feed()
            left_ms = end_ms - clock.uptime_ms()
        wait_ms = sensors.again()
    found = sensors.collect()
    board.throttle(False)
    return found


def _alarms(sensors, state, fields, may_deliver):
    """Names of the fields for which this reading must go at once."""
    if not [one for one in sensors if one["alarms"]]:
        return ()
    from firmware.duty_cycle.alarms import Alarms, limits_of

    alarms = Alarms(limits_of(sensors), state["alarms"])
    urgent = alarms.check(fields)
    if urgent and may_deliver:
        alarms.delivered(fields)
    state["alarms"] = alarms.state
    return urgent
