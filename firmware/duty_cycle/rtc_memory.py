"""A duty-cycled node's memory across deep sleep: one block of bytes, in RTC memory.

The state as JSON, then each record; before each of them its length in two bytes.
The board guards the whole with a CRC (firmware/board/esp32.py): what comes back is right, or b"".
"""

import json


def pack(state, records, limit_bytes):
    """The block, or None if it would be longer than `limit_bytes`. state: a dict for JSON."""
    parts = [json.dumps(state).encode()]
    parts.extend(records)
    if sum([2 + len(part) for part in parts]) > limit_bytes:
        return None
    return b"".join([len(part).to_bytes(2, "little") + part for part in parts])


def unpack(block):
    """(state, records) of a block; ({}, []) of one that is empty or none of ours.

    A state that cannot be read is {}, and costs no record.
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
        state = {}
    return state if isinstance(state, dict) else {}, parts[1:]
