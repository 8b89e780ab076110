"""Where things are: the checkout that this package belongs to, and the user's cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib"
CPYTHON_SHIMS = Path(__file__).resolve().parent / "cpython"


def cache_folder() -> Path:
    """What may be deleted at any time and fetched again. Not created here."""
    given = os.environ.get("FIELDPOST_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fieldpost"
