"""What the outbox lost, told on after a restart by the firmware.

`dropped`, `corrupt` and `refused` of `…/health` stand in RAM: an outage that ends in a restart
would take them along before anybody was told. Loaded when there is something to keep or to find.
"""

from binascii import crc32

from firmware import files as _files

PATH = _files.LOSSES


def keep(outbox, files=_files):
    """Write the counts of `outbox`, if there are any. Losing them is no reason not to restart."""
    if outbox.dropped or outbox.corrupt or outbox.refused:
        counts = b"%d %d %d" % (outbox.dropped, outbox.corrupt, outbox.refused)
        try:
            _files.write_atomic(PATH, b"%s,%d" % (counts, crc32(counts)), files)
        except OSError:
            pass


def restore(outbox, data):
    """Add the counts of `data`, the bytes of the file, to those of `outbox`."""
    for name, count in zip(("dropped", "corrupt", "refused"), counts(data)):
        setattr(outbox, name, getattr(outbox, name) + count)


def counts(data):
    """[dropped, corrupt, refused]; none of them, if the file is spoilt."""
    try:
        text, checksum = data.split(b",")
        if int(checksum) == crc32(text):
            return [int(part) for part in text.split()]
    except ValueError:
        pass
    return [0, 0, 0]
