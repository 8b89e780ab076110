"""Power cuts in real littlefs: the outbox on a RAM block device that stops at its nth write.

Runs in MicroPython's unix port, where VfsLfs2 is the boards' own code. For every write of a
session that appends, delivers and rotates (and for both ways a block can be left: untouched or
half written), cut there, mount again, recover, compare. Prints lines of JSON.
"""

import json
import os

import vfs

from firmware.readings.outbox import Outbox

_BLOCK_BYTES = 4096
_BLOCKS = 16
_READINGS = 30
_DOING = ("open", "put", "acknowledge")  # what the outbox is doing


class PowerCut(Exception):
    """The supply failed."""


class Flash:
    """A flash of 4 KiB blocks in RAM. Write number `cut` (from 1) is the last thing it sees."""

    def __init__(self, data=None):
        self.data = bytearray(_BLOCK_BYTES * _BLOCKS) if data is None else data
        self.writes = 0
        self.cut = 0
        self.half = False
        # Files that were open at the cut are closed by the collector, which must not allocate.
        self.gone = False

    def readblocks(self, block, buffer, offset=0):
        if self.gone:
            return -5
        at = block * _BLOCK_BYTES + offset
        buffer[:] = self.data[at : at + len(buffer)]
        return None

    def writeblocks(self, block, buffer, offset=0):
        if self.gone:
            return -5
        at = block * _BLOCK_BYTES + offset
        self.writes += 1
        if self.cut and self.writes >= self.cut:
            if self.writes == self.cut and self.half:
                half = len(buffer) // 2
                self.data[at : at + half] = buffer[:half]
            raise PowerCut()
        self.data[at : at + len(buffer)] = buffer
        return None

    def ioctl(self, request, argument):
        if request == 4:
            return _BLOCKS
        if request == 5:
            return _BLOCK_BYTES
        if self.gone:
            return -5
        if request == 6:
            # An erased block reads as ones; the erase itself is part of the write that follows.
            at = argument * _BLOCK_BYTES
            if self.cut and self.writes >= self.cut:
                raise PowerCut()
            self.data[at : at + _BLOCK_BYTES] = b"\xff" * _BLOCK_BYTES
        return 0


class Files:
    """What the outbox calls, below the mount point."""

    root = "/flash/"

    def open(self, path, mode):
        return open(self.root + path, mode)

    def listdir(self, path):
        return os.listdir(self.root + path)

    def mkdir(self, path):
        os.mkdir(self.root + path)

    def remove(self, path):
        os.remove(self.root + path)

    def rename(self, path, new_path):
        os.rename(self.root + path, self.root + new_path)


def record(number):
    return b"%06d" % number + bytes(250)


def opened():
    outbox = Outbox(Files(), "outbox", 8, 32)
    outbox.write_through = True  # durability "reading"
    return outbox


def session(accepted, acknowledged, doing):
    doing.append("open")
    outbox = opened()
    for number in range(_READINGS):
        doing[0] = "put"
        outbox.put(record(number))
        accepted.append(number)
        if number % 3 == 2:
            doing[0] = "acknowledge"
            acknowledged.append(outbox.first)
            acknowledged.append(outbox.first + 1)
            outbox.acknowledge(outbox.first + 1)


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")


def fresh():
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    flash.writes = 0
    return flash


def run(cut, half):
    """A session whose power fails at write `cut`: (its writes, what it was doing, readings still
    owed, readings found, segments spoilt, whether the outbox is of use afterwards)."""
    flash = fresh()
    flash.cut, flash.half = cut, half
    accepted, acknowledged, doing = [], [], []
    try:
        mounted(flash)
        session(accepted, acknowledged, doing)
    except PowerCut:
        pass
    vfs.umount("/flash")
    writes = flash.writes
    flash.gone = True
    flash = Flash(flash.data)
    mounted(flash)
    outbox = opened()
    found = [outbox.peek(number) for number in range(outbox.first, outbox.end)]
    corrupt = outbox.corrupt
    # It must be of use afterwards, too.
    outbox.put(record(999999))
    usable = outbox.peek(outbox.end - 1) == record(999999)
    vfs.umount("/flash")
    found = [int(data[:6]) for data in found if data is not None]
    owed = [number for number in accepted if number not in acknowledged]
    return writes, doing[0], owed, found, corrupt, usable


def cut_everywhere(writes, half):
    """The power fails at each of `writes`; half: the block of that write is half written.
    A report for each thing that the outbox was doing then."""
    reports = {}
    for doing in _DOING:
        report = reports[doing] = {"half": half, "doing": doing, "cuts": 0, "owed": 0}
        report.update({"lost": [], "disordered": [], "corrupt": 0, "unusable": 0})
        report["resent_at_most"] = 0
    for cut in range(1, writes + 1):
        _, doing, owed, found, spoilt, usable = run(cut, half)
        report = reports[doing]
        report["cuts"] += 1
        report["owed"] += len(owed)
        missing = [number for number in owed if number not in found]
        if missing:
            report["lost"].append((cut, missing))
        if found != sorted(set(found)):
            report["disordered"].append(cut)
        report["corrupt"] += spoilt
        report["unusable"] += not usable
        report["resent_at_most"] = max(report["resent_at_most"], len(found) - len(owed))
    return [reports[doing] for doing in _DOING]


def main():
    writes = run(0, False)[0]
    for half in (False, True):
        for report in cut_everywhere(writes, half):
            print(json.dumps(report))


main()
