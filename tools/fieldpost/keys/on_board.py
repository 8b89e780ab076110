"""A node's keys for updates, brought by cable: over the air nobody can change them.

The counter beside them only rises: keys from an old backup open no way back to an old release.
"""

import json
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink
from fieldpost.board.said import json_or_none
from fieldpost.file_names import UPDATE_KEYS, on_board
from fieldpost.keys.history import COUNTER_MAX


def there(link: BoardLink) -> bytes | None:
    """What the board has; None if nothing."""
    try:
        return board_files.read_file(link, on_board(UPDATE_KEYS))
    except board_files.FileError:
        return None


def raised(ours: bytes, theirs: bytes | None) -> bytes:
    """What is to be written: `ours`, with the counter of what the board has if that is higher and
    of the same keys."""
    told: dict[str, Any] = json.loads(ours)
    was = json_or_none(theirs or b"")
    if not isinstance(was, dict) or not isinstance(was.get("keys"), list):
        return ours
    counter = was.get("counter")
    is_of_ours = any(key in told["keys"] for key in was["keys"])
    if not (is_of_ours and type(counter) is int and told["counter"] < counter <= COUNTER_MAX):
        return ours
    return json.dumps({**told, "counter": counter}, separators=(",", ":")).encode() + b"\n"


def same_keys(ours: bytes, theirs: bytes | None) -> bool:
    """Whether the board believes the same keys; its counter may be another."""
    was = json_or_none(theirs or b"")
    return isinstance(was, dict) and was.get("keys") == json.loads(ours)["keys"]


def bring(link: BoardLink, ours: bytes) -> bool:
    """Write them, whole or not at all; False if they are there. Raises BoardError."""
    found = there(link)
    wanted = raised(ours, found)
    if wanted == found:
        return False
    board_files.write_file(link, on_board(UPDATE_KEYS), wanted)
    return True
