"""MQTT packets that are spoilt at random."""

import random

from fakes.mqtt_packets import packet


def mutated(rng: random.Random) -> bytes:
    """What a broker may send, spoilt."""
    parts = [
        b"\x20\x02\x00\x00",
        b"\x40\x02\x00\x01\x40\x02\x00\x02",
        b"\xd0\x00",
        b"\x90\x03\x00\x01\x01",
        packet(0x30, b"\x00\x03cmd" + rng.randbytes(rng.randrange(300))),
        packet(0x33, b"\x00\x03cmd\x00\x09" + rng.randbytes(rng.randrange(40))),
    ]
    data = bytearray(b"".join(rng.choices(parts, k=rng.randrange(1, 5))))
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(4)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind == 2:
            del data[at : at + rng.randrange(1, 4)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
    return bytes(data)
