"""Which pack the firmware runs from, as boot.py has mounted it; which modules it lets go of."""

import sys

from micropython import const

# More than a board has memory for: no piece that somebody sent is to ask for it.
_MODULES_MAX = const(500)


def running_pack():
    """Its path; None for a tree, for frozen modules, or if an older tool deployed them."""
    pack = getattr(sys.modules.get("module_pack"), "mounted", None)
    return pack and pack.path


def is_on_trial():
    """Whether boot.py chose it to be tried."""
    return "/.trial" in sys.path


def moved(path):
    """The pack that runs has another name from now on."""
    sys.modules["module_pack"].mounted.path = path


def head_of(path, files):
    """What stands before the bytecode of the pack at `path`; b"" if that cannot be read.
    tools/fieldpost/deploy/pack.py describes it."""
    try:
        with files.open(path, "rb") as file:
            start = file.read(8)
            count = int.from_bytes(start[4:], "little")
            if start[:4] != b"FPK1" or count > _MODULES_MAX:
                return b""
            return start + file.read(16 * count + 4)
    except OSError:
        return b""


def forget(*names):
    """Give the memory of these modules of the package back: the node needs it."""
    if sys.implementation.name == "micropython":
        for name in names:
            if sys.modules.pop("firmware.update." + name, None):
                delattr(sys.modules["firmware.update"], name)
