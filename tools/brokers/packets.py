"""MQTT 3.1.1 packets: made by hand for a probe, and read back from what passed on a connection.

Section numbers are those of the OASIS standard.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from brokers.accounts import Account

_NAMES = {
    1: "CONNECT",
    2: "CONNACK",
    3: "PUBLISH",
    4: "PUBACK",
    8: "SUBSCRIBE",
    9: "SUBACK",
    10: "UNSUBSCRIBE",
    11: "UNSUBACK",
    12: "PINGREQ",
    13: "PINGRESP",
    14: "DISCONNECT",
}


@dataclass(frozen=True)
class Packet:
    """One control packet. flags: the low half of its first byte. body: after the length."""

    kind: int
    flags: int
    body: bytes

    @property
    def name(self) -> str:
        """Of its type, as the standard has it."""
        return _NAMES.get(self.kind, f"type {self.kind}")

    @property
    def qos(self) -> int:
        """Of a PUBLISH."""
        return self.flags >> 1 & 3

    @property
    def topic(self) -> str:
        """Of a PUBLISH, and the first one of a SUBSCRIBE."""
        start = 2 if self.kind == 8 else 0
        length = int.from_bytes(self.body[start : start + 2], "big")
        return self.body[start + 2 : start + 2 + length].decode(errors="replace")

    @property
    def packet_id(self) -> int | None:
        """None where a packet has none."""
        if self.kind == 3:
            if not self.qos:
                return None
            at = 2 + int.from_bytes(self.body[:2], "big")
            return int.from_bytes(self.body[at : at + 2], "big")
        if self.kind in (4, 8, 9, 10, 11):
            return int.from_bytes(self.body[:2], "big")
        return None

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH."""
        at = 2 + int.from_bytes(self.body[:2], "big")
        return self.body[at + (2 if self.qos else 0) :]

    @property
    def is_retained(self) -> bool:
        """RETAIN of a PUBLISH (3.3.1.3)."""
        return bool(self.flags & 1)


class Parser:
    """Cuts the bytes of one direction into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are whole now."""
        self._rest += data
        while True:
            length, used = _length(self._rest)
            if length is None or len(self._rest) < used + length:
                return
            first, body = self._rest[0], self._rest[used : used + length]
            self._rest = self._rest[used + length :]
            yield Packet(first >> 4, first & 15, body)


def _length(data: bytes) -> tuple[int | None, int]:
    """(remaining length, bytes of the fixed header) (2.2.3); None as long as it is not whole."""
    value = 0
    for at, byte in enumerate(data[1:5]):
        value |= (byte & 127) << 7 * at
        if not byte & 128:
            return value, at + 2
    return None, 0


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first])
    while True:
        head.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
        if not length:
            return bytes(head) + body


def _text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def connect(
    client_id: str,
    account: Account,
    *,
    clean: bool = True,
    password: str | None = None,
    will: tuple[str, bytes] | None = None,
) -> bytes:
    """CONNECT with 60 s of keep-alive (3.1), without a login for an account that has no name.

    will: topic and payload, QoS 1 and retained.
    """
    flags = (0xC0 if account.user else 0) | (2 if clean else 0) | (0x2C if will else 0)
    body = _text("MQTT") + bytes((4, flags)) + (60).to_bytes(2, "big") + _text(client_id)
    if will:
        body += _text(will[0]) + _text(will[1])
    if account.user:
        body += _text(account.user) + _text(password or account.password)
    return _packet(0x10, body)


def publish(topic: str, payload: bytes, packet_id: int, *, retain: bool = False) -> bytes:
    """PUBLISH with QoS 1 (3.3)."""
    body = _text(topic) + packet_id.to_bytes(2, "big") + payload
    return _packet(0x32 | retain, body)


def puback(packet_id: int) -> bytes:
    """PUBACK (3.4)."""
    return _packet(0x40, packet_id.to_bytes(2, "big"))


def subscribe(topic: str, packet_id: int) -> bytes:
    """SUBSCRIBE to one filter with QoS 1 (3.8)."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + _text(topic) + b"\x01")


DISCONNECT = _packet(0xE0, b"")
