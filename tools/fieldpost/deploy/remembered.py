"""Results that cost time, kept in the cache by all that they were made of."""

import hashlib
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fieldpost.paths import cache_folder


def remembered(
    kind: str, of: tuple[str | bytes, ...], make: Callable[[], bytes], begins: bytes = b""
) -> bytes:
    """What `make()` gives, from the cache if it was made of the same before.

    kind: the folder there, and the ending. of: all that it depends on. begins: what any result
    begins with; a file that does not is made anew.
    """
    digest = hashlib.sha256()
    for one in of:
        data = one.encode() if isinstance(one, str) else one
        digest.update(len(data).to_bytes(8, "little") + data)
    path = cache_folder() / kind / f"{digest.hexdigest()}.{kind}"
    try:
        found = path.read_bytes()
        if found and found.startswith(begins):
            return found
    except OSError:
        pass  # It has not been made yet.
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.partial")
        partial.write_bytes(made)
        partial.replace(path)
    except OSError:
        pass  # A cache that can't be written costs time, no more.
    return made


@cache
def code_of(module: str) -> bytes:
    """The source of a module of ours, by its `__file__`: what it makes depends on it, too."""
    return Path(module).read_bytes()
