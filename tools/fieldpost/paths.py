"""Where things are: the firmware's tree with lib/, docs and examples, and the user's cache.

A checkout's own files win: those of the checkout that this package stands in, or, where it is
installed, of the checkout in whose folder the command is given. Anywhere else they are those that
were installed with the package, in its `_tree`, which `setup.py` fills.
"""

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CPYTHON_SHIMS = PACKAGE / "cpython"
# Emulated devices, for an interpreter that runs a node on a desk.
DESK_PATH = PACKAGE / "desk_path"
_INSTALLED = PACKAGE / "_tree"


def home_of(package: Path) -> Path | None:
    """The checkout that a package of ours stands in; None where it is installed."""
    root = package.parents[1]
    stands_in_it = package == root / "tools" / "fieldpost" and (root / "pyproject.toml").exists()
    return root if stands_in_it else None


def find_root(package: Path, at: Path) -> Path:
    """The tree that `package` works with when it is called in the folder `at`."""
    if home := home_of(package):
        return home
    for folder in (at, *at.parents):
        needed = ("pyproject.toml", "boot.py", "firmware/__init__.py", "tools/fieldpost/paths.py")
        if all((folder / name).is_file() for name in needed):
            return folder
    return package / _INSTALLED.name


def cache_folder() -> Path:
    """What may be deleted at any time and fetched again. Not created here."""
    given = os.environ.get("FIELDPOST_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fieldpost"


def running_folder() -> Path:
    """Where programs that run say so to each other. Not created here."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "fieldpost" if base else cache_folder() / "running"


def fetched_lib() -> Path:
    """Where upstream's `umqtt/` is put: into the checkout's lib/, else into the user's cache, as
    what is installed may be read-only."""
    return LIB if IN_CHECKOUT else cache_folder() / "lib"


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return PACKAGE  # The folder that we were called in has been removed.


ROOT = find_root(PACKAGE, _here())
IN_CHECKOUT = ROOT != _INSTALLED
# An installed package that works with the files of a checkout: their versions may differ.
IS_BORROWED = IN_CHECKOUT and home_of(PACKAGE) is None
LIB = ROOT / "lib"


def make_firmware_importable() -> None:
    """Let `import firmware` find the tree's: its tables and checks serve the host, too."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
