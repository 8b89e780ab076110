"""A duty-cycled node's memory across deep sleep: one block of bytes, in RTC memory.

The state as JSON, then each record; before each of them its length in two bytes. The board guards
the whole with a CRC (firmware/board/esp32.py): what comes back is right, or b"".

This is all of the state, by its keys; times are milliseconds of the real-time clock (rtc) or
uptime (up). Whoever changes a key or its meaning raises VERSION: a state of another version is
refused, and the node starts a new boot, as after a reset. Its records are taken in every case.

| key | what it is |
|---|---|
| version | VERSION of the firmware that fell asleep |
| boot, seq | of the next reading |
| uptime | up, when it fell asleep |
| rtc | rtc, when it fell asleep |
| next, interval | rtc of the next reading of the grid, and the interval in force (grid.py) |
| until | rtc at which the board wakes: `next`, or earlier to look at a pin |
| deliver, failed | rtc before which no delivery is tried, and failures in a row (grid.py) |
| urgent | the next wake delivers, whatever its batch lacks |
| health | up, when `…/health` is due |
| ntp | [up at which the time server is asked next, ms until it is asked after one more failure] |
| alarms | field -> [beyond its limit, last delivered value] (alarms.py) |
| described | fields that Home Assistant was told of (firmware/remote/home_assistant.py) |
| refused | topics that the broker does not take from us |
| lost | [dropped, corrupt, refused] of the outbox in this boot |
| hint | [SSID, BSSID in hex, channel] of the access point, or null |
| lease, lease_at | (address, mask, gateway, DNS server) or null, and the rtc of its start |
| broker | [host, its address] |
| early | what is known of packets before CONNACK (`Session.rides`) |
| careful | what the broker closes on, or null (firmware/net/mqtt_careful.py) |
| short, row | sleeps that were cut short, in all and since the last reading |
| pins, woken | the watched pins, and wakes by them (wake_stub.py) |
| pin_error | why a pin cannot wake the board, or null |
| input | this wake is for an input that has changed (wake_stub.py) |
"""

import json

from micropython import const

VERSION = const(1)


def pack(state, records, limit_bytes):
    """The block, or None if it would be longer than `limit_bytes`. state: a dict for JSON."""
    state["version"] = VERSION
    parts = [json.dumps(state).encode()]
    parts.extend(records)
    if sum([2 + len(part) for part in parts]) > limit_bytes:
        return None
    return b"".join([len(part).to_bytes(2, "little") + part for part in parts])


def unpack(block):
    """(state, records) of a block; ({}, []) of one that is empty or none of ours.

    A state that cannot be read, or is of another version, is {}, and costs no record.
    """
    parts = []
    at = 0
    while at + 2 <= len(block):
        size = block[at] | block[at + 1] << 8
        parts.append(bytes(block[at + 2 : at + 2 + size]))
        at += 2 + size
    if at != len(block) or not parts:
        return {}, []
    try:
        state = json.loads(parts[0])
    except ValueError:
        state = None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        state = {}
    return state, parts[1:]
