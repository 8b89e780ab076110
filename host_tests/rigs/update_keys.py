"""A folder of keys for updates, made once: RSA takes a second or two to find its primes."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from fieldpost.keys.folder import KeyFolder

PASSPHRASE = "correct horse battery"


@functools.cache
def _made(which: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fieldpost-keys-")) / "keys"
    KeyFolder(folder).create(PASSPHRASE)
    return folder


def make_keys(folder: Path, which: int = 0) -> KeyFolder:
    """A copy of it at `folder`. which: another number has other keys."""
    shutil.copytree(_made(which), folder)
    return KeyFolder(folder)
