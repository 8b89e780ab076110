"""Whether flash has room for an update, beside all that the node's readings may need."""

from micropython import const

# For what littlefs needs to rename at all, and for small files of the node.
_SPARE_BYTES = const(6 * 4096)
_SEGMENT_BYTES = const(4096)


def lack(files, size, outbox_kib):
    """Why `size` bytes do not fit, in words, or None. outbox_kib: that it may grow to."""
    stat = files.statvfs("/")
    try:
        segments = len(files.listdir("outbox"))
    except OSError:
        segments = 0
    grows = max(outbox_kib * 1024 - segments * _SEGMENT_BYTES, 0)
    free = max(stat[0] * stat[3] - grows - _SPARE_BYTES, 0)
    if free < size:
        return "it needs %d bytes of flash, and %d are free beside the outbox" % (size, free)
    return None
