"""Readings that wait on flash, real littlefs, as many as asked for: start up, deliver them."""

import gc
import os
import time

import vfs
from common import answer, since_ms, task
from fieldpost_client import Bench, fill

from firmware.readings.outbox import Outbox

BLOCK_BYTES = 4096
SEGMENTS = 512


class Flash:
    """A board's flash in a file of the host, so that it takes nothing of the heap."""

    def __init__(self, path, blocks):
        with open(path, "wb") as file:
            for _ in range(blocks):
                file.write(b"\xff" * BLOCK_BYTES)
        self._file = open(path, "r+b")
        self._blocks = blocks
        self._blank = b"\xff" * BLOCK_BYTES

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.write(buffer)

    def ioctl(self, request, argument):
        if request == 4:
            return self._blocks
        if request == 5:
            return BLOCK_BYTES
        if request == 6:
            self.writeblocks(argument, self._blank)
        return 0


class Files:
    """firmware/files.py, below the mount point."""

    def open(self, path, mode):
        return open("/flash/" + path, mode)

    def listdir(self, path):
        return os.listdir("/flash/" + path)

    def mkdir(self, path):
        os.mkdir("/flash/" + path)

    def remove(self, path):
        os.remove("/flash/" + path)

    def rename(self, path, new_path):
        os.rename("/flash/" + path, "/flash/" + new_path)


def live():
    gc.collect()
    return gc.mem_alloc()


def scaling(asked):
    count = asked["readings"]
    flash = Flash("flash.bin", 1024)
    # The programming size of the boards' own _boot.py.
    vfs.VfsLfs2.mkfs(flash, progsize=256)
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
    outbox = Outbox(Files(), "outbox", 64, SEGMENTS)
    fill(outbox, count)
    outbox.spill()
    del outbox

    before = live()
    start_us = time.ticks_us()
    outbox = Outbox(Files(), "outbox", 64, SEGMENTS)
    recover_ms = since_ms(start_us)
    assert outbox.depth == count
    bench = Bench(asked, outbox)
    most = [live() - before]
    if asked["heap"]:
        watch(bench, most, before)
    segments = len(outbox._starts)
    start_us = time.ticks_us()
    bench.session.open(bench.publish_early)
    bench.deliver()
    ms = since_ms(start_us)
    bench.session.close()
    answer(
        ms=ms,
        recover_ms=recover_ms,
        heap=most[0],
        heap_after=live() - before,
        flash_segments=segments,
        waits=bench.wire.round_trips,
        dropped=outbox.dropped,
        corrupt=outbox.corrupt,
    )


def watch(bench, most, before):
    """Ask for the live heap after every batch, which costs time: a run of its own."""
    pump = bench.delivery.pump

    def watched():
        more = pump()
        most[0] = max(most[0], live() - before)
        return more

    bench.delivery.pump = watched


if __name__ == "__main__":
    scaling(task())
