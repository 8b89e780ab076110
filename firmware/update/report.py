"""What a node tells of its updates in `…/update`, and of the board that they must be made for."""

import json
import sys

from firmware import VERSION


def board_of(board):
    """What the release must be made for, as it is told."""
    implementation = sys.implementation
    return {
        "platform": sys.platform,
        "mpy": getattr(implementation, "_mpy", 0) & 0xFF,
        "micropython": list(implementation.version[:3]),
        "chip": board.version().split(" ")[0].lower().replace("-", ""),
    }


def report(last, record, board, progress=None):
    """The payload. last: `state`, and `offer` and `error` where there are any. progress: bytes
    that are there, and of how many."""
    told = dict(last)
    installed = {"version": record.get("version", VERSION)}
    for name, key in (("counter", "runs"), ("sha", "sha")):
        if record.get(key) is not None:
            installed[name] = record[key]
    told["installed"] = installed
    if progress:
        told["have"], told["of"] = progress
    told.update(board_of(board))
    return json.dumps(told).encode()
