"""A reading, as the outbox keeps it and as the broker gets it.

Kept: `boot, seq, when_s, timed` in 13 bytes, then the fields as JSON without braces. The time is
put into the payload only when the reading leaves, because it may become known only by then.
"""

import struct

_HEAD = "<IIIB"


def encode(boot, seq, when_s, timed, fields):
    """A record. `when_s`: Unix seconds if `timed`, else seconds since the boot began."""
    return struct.pack(_HEAD, boot, seq, when_s, timed) + fields


def encode_now(boot, seq, clock, fields):
    """The record of a reading that is taken now, of as much of the time as `clock` knows."""
    unix_s = clock.unix_s()
    when_s = clock.uptime_ms() // 1000 if unix_s is None else unix_s
    return encode(boot, seq, when_s, unix_s is not None, fields)


def key(record):
    """(boot, seq) of a record."""
    boot, seq, _, _ = struct.unpack_from(_HEAD, record)
    return boot, seq


def payload(record, boot, uptime_s, unix_s):
    """What is published of a record in boot `boot`, at `uptime_s` and `unix_s` (None: unknown).

    `ts` is Unix seconds. A reading whose time never became known has `age_s` in its place: the
    seconds since it was taken, or, if that was before the last start, at least so many.
    """
    taken, seq, when_s, timed = struct.unpack_from(_HEAD, record)
    if timed:
        name, value = b"ts", when_s
    elif taken != boot:
        name, value = b"age_s", uptime_s
    elif unix_s is not None:
        name, value = b"ts", unix_s - (uptime_s - when_s)
    else:
        name, value = b"age_s", uptime_s - when_s
    return b'{"boot":%d,"seq":%d,"%s":%d%s%s}' % (
        taken,
        seq,
        name,
        value,
        b"," if len(record) > 13 else b"",
        record[13:],
    )
