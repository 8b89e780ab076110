"""Which modules of a new pack stand in an old one, too: by their hashes, from the packs' heads.

tools/fieldpost/deploy/pack.py describes a head.
"""

from array import array
from binascii import crc32

from firmware.update.place import head_of


def plan(files, path, running, size, none):
    """What `planned` gives, by the pack at `path`, which will have `size` bytes, and the `running`
    one (None: nothing is to be copied); None as long as the head is not whole."""
    new = head_of(path, files)
    if not new:
        return array("i")  # It is no pack: the end will show what it is.
    if len(new) < 12 + 16 * int.from_bytes(new[4:8], "little"):
        return array("i") if files.stat(path)[6] >= size else None
    old = head_of(running, files) if running else b""
    return planned(new, old, size, files.stat(running)[6] if running else 0, none)


def planned(new, old, size, old_size, none):
    """An array of pairs: where a stretch of the new pack ends, and how far from it the same bytes
    stand in the old one, or `none`. What is behind the last stretch is not in the old one.

    new, old: their heads, b"" for no old one; of these sizes.
    """
    plan = array("i")
    count, before = len(new) // 16, len(old) // 16
    hashes = old[8 + 8 * before : 8 + 16 * before]

    def add(end, distance):
        end = min(end, size)  # No more is believed of a head that has yet to be proven.
        if len(plan) and plan[-1] == distance:
            plan[-2] = end
        else:
            plan.extend(array("i", (end, distance)))

    add(len(new), none)
    # Modules stand in the order of their names, and so do their records; folders begin at 0.
    for n in range(count):
        begin = _begin(new, n)
        if not begin:
            continue
        end = _end(new, n, count)
        name = new[8 + 8 * count + 8 * n : 16 + 8 * count + 8 * n]
        at = hashes.find(name)
        while at >= 0 and at % 8:
            at = hashes.find(name, at + 1)
        distance = none
        if at >= 0:
            at //= 8
            source = _begin(old, at)
            if source and _end(old, at, before) - source == end - begin:
                distance = source - begin
        add(end, distance)
    end = _end(new, count, count)
    # The names, which a pack ends with, are the same if their checksums are.
    if count == before and _names(new, count) == _names(old, count):
        source = _end(old, count, count)
        if old_size - source == size - end:
            add(size, source - end)
    return plan


def _begin(head, n):
    return int.from_bytes(head[12 + 8 * n : 16 + 8 * n], "little")


def _end(head, n, count):
    """Where the module of record `n` ends: the next one begins there, or there is none."""
    for later in range(n + 1, count):
        if _begin(head, later):
            return _begin(head, later)
    return int.from_bytes(head[8 + 16 * count : 12 + 16 * count], "little")


def _names(head, count):
    found = 0
    for n in range(count):
        found = crc32(head[8 + 8 * n : 12 + 8 * n], found)
    return found
