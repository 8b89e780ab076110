"""MQTT 3.1.1 packets, written to a `Wire` straight where they leave from, and read from it."""

from micropython import const

from wire import READ_LIMIT

_PUBLISH = const(0x30)
_SUBACK = const(0x90)
_EPROTO = const(71)

# PUBACK, SUBACK, UNSUBACK: the first byte of what carries nothing but a packet id.
ACKNOWLEDGEMENTS = b"\x40\x90\xb0"


def put(wire, flags, topic, body, pid):
    """Gather one PUBLISH, or SUBSCRIBE (whose packet id comes before the topic), in `wire`.

    flags: of a PUBLISH; of a SUBSCRIBE the whole first byte. topic, body: bytes. pid: 0 for none.
    """
    tx = wire.tx
    subscribe = flags & 0x80
    length = len(topic)
    head = 2 + length + (2 if pid else 0)
    rest = size = head + len(body)
    while rest > 0x7F:
        head += 1
        rest >>= 7
    at = wire.claim(head + 2)
    tx[at] = flags if subscribe else _PUBLISH | flags
    at += 1
    while size > 0x7F:
        tx[at] = size & 0x7F | 0x80
        size >>= 7
        at += 1
    tx[at] = size
    at += 1
    if subscribe:
        tx[at] = pid >> 8
        tx[at + 1] = pid & 0xFF
        at += 2
    tx[at] = length >> 8
    tx[at + 1] = length & 0xFF
    at += 2
    tx[at : at + length] = topic
    if pid and not subscribe:
        at += length
        tx[at] = pid >> 8
        tx[at + 1] = pid & 0xFF
    wire.write(body)


class TooLarge(Exception):
    """A message was read past."""


def length(wire, flags):
    """What is left of a PUBLISH after its first byte, `flags` (section 2.2.3).

    OSError for no length, TooLarge for more than a wire gives at once.
    """
    size = shift = 0
    for _ in range(4):
        byte = wire.read(1)[0]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            if size > READ_LIMIT:
                from firmware.net.mqtt_oversized import pass_over

                pass_over(wire, flags, size)
                raise TooLarge
            return size
        shift += 7
    raise OSError(_EPROTO)


def acknowledged(wire, first):
    """(packet id, whether it is granted) of the acknowledgement that began with byte `first`.

    Only a subscription can be refused: SUBACK 0x80 (section 3.9.3), or above. ejabberd gives a
    reason of MQTT 5 there, 0x8F for one.
    """
    size = 3 if first == _SUBACK else 2
    answer = wire.read(size + 1)
    granted = size == 2 or answer[3] < 2
    if answer[0] != size or not (granted or answer[3] & 0x80):
        raise OSError(_EPROTO)
    return answer[1] << 8 | answer[2], granted
