"""A board whose flash is a file of the host: real littlefs, and what is killed has lost its power.

Arguments: "make", "run" or "dump", the file, and for the first and the last a folder of the host.
`make` formats it and copies the folder; `run` does what MicroPython does on a board, from boot.py
on; `dump` copies all that is on it. CUT_AT=n in the environment: at the nth write half of it
arrives, and then the board says "power cut" and does nothing more.
"""

import os
import sys
import time

import machine
import vfs

_BLOCK_BYTES = 4096
_BLOCKS = 256


class Flash:
    """A block device on an open file."""

    def __init__(self, path, new=False):
        if new:
            with open(path, "wb") as file:
                for _ in range(_BLOCKS):
                    file.write(b"\xff" * _BLOCK_BYTES)
        self._file = open(path, "r+b")
        self._cut_at = int(os.getenv("CUT_AT") or 0)
        self._writes = 0

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._writes += 1
        if self._writes == self._cut_at:
            self._file.write(buffer[: len(buffer) // 2])
            self._file.flush()
            print("power cut")
            while True:
                time.sleep(1)
        self._file.write(buffer)
        self._file.flush()

    def ioctl(self, request, argument):
        if request == 4:
            return _BLOCKS
        if request == 5:
            return _BLOCK_BYTES
        if request == 6:
            self._file.seek(argument * _BLOCK_BYTES)
            self._file.write(b"\xff" * _BLOCK_BYTES)
        return 0


class Machine:
    """What the firmware's start asks of the port's `machine`."""

    def __getattr__(self, name):
        return getattr(machine, name)

    @staticmethod
    def reset_cause():
        return int(os.getenv("RESET_CAUSE") or 1)

    @staticmethod
    def WDT(timeout):
        print("watchdog armed, %d ms" % timeout)


def copy(source, target):
    for entry in os.ilistdir(source):
        name = "/" + entry[0]
        if entry[1] & 0x4000:
            if entry[0] not in (".", ".."):
                try:
                    os.mkdir(target + name)
                except OSError:
                    pass  # It is there.
                copy(source + name, target + name)
        else:
            with open(source + name, "rb") as file, open(target + name, "wb") as new:
                while True:
                    block = file.read(4096)
                    if not block:
                        break
                    new.write(block)


def main(do, path, folder=""):
    flash = Flash(path, do == "make")
    if do == "make":
        vfs.VfsLfs2.mkfs(flash, progsize=256)
    disk = vfs.VfsLfs2(flash, progsize=256)
    if do != "run":
        vfs.mount(disk, "/board")
        copy(*(("/board", folder) if do == "dump" else (folder, "/board")))
        vfs.umount("/board")
        return
    vfs.umount("/")
    vfs.mount(disk, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.modules["machine"] = sys.modules["umachine"] = Machine()
    for name in ("/boot.py", "/main.py"):
        with open(name) as file:
            source = file.read()
        exec(compile(source, name, "exec"), {"__name__": name[1:-3]})


main(*sys.argv[1:])
