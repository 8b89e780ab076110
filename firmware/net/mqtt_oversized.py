"""A message from the broker that is too large to keep: read past, and acknowledged.

To end the connection would not help: the broker would send the message again on the next one, and
no reading would ever get through. Loaded with the first one.
"""

from micropython import const

_QOS1 = const(0x02)
_EPROTO = const(71)


def pass_over(wire, flags, size):
    """Read past the `size` bytes of a PUBLISH after its length. flags: its first byte."""
    length = wire.read(2)
    length = length[0] << 8 | length[1]
    has_pid = flags & _QOS1
    size -= length + (4 if has_pid else 2)
    if size < 0:
        raise OSError(_EPROTO)
    wire.skip(length)
    if has_pid:
        pid = wire.read(2)
    wire.skip(size)
    if has_pid:
        wire.write(b"\x40\2" + pid)
