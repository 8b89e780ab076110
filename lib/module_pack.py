"""Many modules in one file, for MicroPython's `import`: a file system that only reads.

A module costs an import one lookup in RAM and one seek, where a tree of folders costs a dozen
walks through flash; and flash holds no half-empty block per module. The file is described by
tools/fieldpost/deploy/pack.py, which writes it.
"""

import sys

# By these names they are not looked for on flash first: nothing that finds a module is there yet.
import umachine as machine
import uos as os
import vfs
from micropython import const
from ubinascii import crc32

_FOLDER = const(0x4000)
_FILE = const(0x8000)
_ENOENT = const(2)
_RECORD_BYTES = const(8)
_DEEP_SLEEP = const(4)  # machine.DEEPSLEEP_RESET, which RP2 has not
# RTC memory of an ESP32 begins so where a program fell asleep while `is_alone`. To put a module on
# the board takes a reset, so a wake from that sleep need not look at the flash's folders again,
# which takes longer than all else here.
_ALONE = b"QF"
# Whether no module in flash comes before one of the pack or one that is built in.
is_alone = False


class Pack:
    """Mounted by `mount`. path: of the file; whoever renames that says so here. index: of 8 bytes
    each, the CRC-32 of a name and where it begins; 0 for a folder. by_hand: folders of the flash
    that hold such a module, too."""

    def __init__(self, path, index, by_hand):
        self.path = path
        self._index = index
        # A search through one byte of each name is a fifth of one through the whole index.
        self._starts = bytes([index[at] for at in range(0, len(index), _RECORD_BYTES)])
        self._by_hand = by_hand

    def find(self, path):
        """Where in the file it begins; 0: it is a folder; -1: there is none."""
        key = crc32(path).to_bytes(4, "little")
        start = key[:1]
        n = self._starts.find(start)
        while n >= 0:
            at = n * _RECORD_BYTES
            if self._index[at : at + 4] == key:
                return int.from_bytes(self._index[at + 4 : at + _RECORD_BYTES], "little")
            n = self._starts.find(start, n + 1)
        return n

    def stat(self, path):
        """As `os.stat`: what `import` asks, of a folder, `.py` and `.mpy` in this order."""
        for folder in self._by_hand:
            try:
                return os.stat(folder + path)
            except OSError:
                pass
        # Only bytecode is in it: to look for a source would take as long as to find a module.
        at = -1 if path[-3:] == ".py" else self.find(path)
        if at < 0:
            raise OSError(_ENOENT)
        return (_FILE if at else _FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path, mode):
        """The flash's own file, at the module's beginning: bytecode says itself where it ends."""
        for folder in self._by_hand:
            try:
                file = open(folder + path, mode)
                print("by hand:", folder + path)
                return file
            except OSError:
                pass
        at = self.find(path)
        if at <= 0:
            raise OSError(_ENOENT)
        file = open(self.path, "rb")
        file.seek(at)
        return file

    def ilistdir(self, path):
        """Nothing, to whoever walks through all that is mounted: it holds no files of its own."""
        return iter(())

    def mount(self, readonly, mkfs):
        """Nothing is to be done."""

    def umount(self):
        """Nothing is to be done."""


# The pack that is mounted.
mounted = None


def mount(path, place="/.pack"):
    """Let `import` find the modules of the pack at `path`, before any others.

    A file of a module's name that somebody has put in flash comes before the pack's, and is told
    of. place: a folder of this name in flash would be hidden. Raises OSError without a file at
    `path`, ValueError for one of another kind.
    """
    with open(path, "rb") as file:
        head = file.read(8)
        if head[:4] != b"FPK1":
            raise ValueError(path + " is no pack of modules")
        index = file.read(_RECORD_BYTES * int.from_bytes(head[4:], "little"))
    by_hand = []
    # What most modules import, and MicroPython has built in; and which of them a file extends.
    built_in = ("json", "os", "binascii", "struct", "machine", "time", "errno")
    built_in += ("select", "socket", "array")
    own = []
    pack = Pack(path, index, by_hand)
    slept = machine.reset_cause() == _DEEP_SLEEP and machine.RTC().memory()[:2] == _ALONE
    for folder in () if slept else ("", "/lib"):
        try:
            names = os.listdir(folder or "/")
        except OSError:
            continue
        for file in names:
            name = file[:-2] + "mpy" if file[-3:] == ".py" else file
            if name[-4:] == ".mpy" and name[:-4] in built_in:
                print("by hand:", folder + "/" + file)
                own.append(name[:-4])
            if folder not in by_hand and pack.find("/" + name) >= 0:
                by_hand.append(folder)
    global mounted, is_alone
    mounted = pack
    is_alone = not by_hand and not own
    vfs.mount(pack, place)
    folders = sys.path[:]
    # MicroPython looks for a file of such a name, in every folder of sys.path, at each `import` of
    # it, unless it stands in sys.modules. Where there is none, a search for it would take longer
    # than all of this.
    sys.path[:] = ()
    for name in built_in:
        if name not in own and name not in sys.modules:
            sys.modules[name] = __import__(name)
    sys.path[:] = [place] + folders
    for name in own:
        __import__(name)
