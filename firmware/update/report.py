"""What a node tells of its updates in `…/update`, and of the board that they must be made for."""

import json
import sys
from hashlib import sha256

from firmware import VERSION
from firmware import files as _files


def board_of(board):
    """What the release must be made for, as it is told."""
    implementation = sys.implementation
    return {
        "platform": sys.platform,
        "mpy": getattr(implementation, "_mpy", 0) & 0xFF,
        "micropython": list(implementation.version[:3]),
        "chip": board.version().split(" ")[0].lower().replace("-", ""),
    }


def key_ids(files):
    """What tells the node's keys apart: the beginning of each modulus's SHA-256."""
    try:
        keys = json.loads(_files.read(_files.UPDATE_KEYS, files) or b"{}")["keys"]
        return [sha256(bytes.fromhex(one)).digest()[:4].hex() for one in keys]
    except (ValueError, KeyError, TypeError):
        return []


def publish(door, last, target=None, with_keys=False):
    """Tell it. target: what is being fetched, for its progress. with_keys: tell them, too."""
    progress = (target.have, target.size) if target else None
    keys = key_ids(door.files) if with_keys else None
    told = report(last, door.record, door.board, progress, keys)
    door.session.publish(door.topic, told, True, 1)


def report(last, record, board, progress=None, keys=None):
    """The payload. last: `state`, and `offer` and `error` where there are any. progress: bytes
    that are there, and of how many. keys: of `key_ids`; None: they are not told."""
    told = dict(last)
    installed = {"version": record.get("version", VERSION)}
    for name, key in (("counter", "runs"), ("sha", "sha")):
        if record.get(key) is not None:
            installed[name] = record[key]
    told["installed"] = installed
    if progress:
        told["have"], told["of"] = progress
    if keys is not None:
        told["keys"] = keys
    told.update(board_of(board))
    return json.dumps(told).encode()
