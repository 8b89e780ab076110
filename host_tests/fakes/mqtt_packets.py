"""MQTT 3.1.1 packets as a strict server reads them; section numbers are of the OASIS standard."""

from functools import lru_cache
from typing import NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14

# Flags in the first byte that a client must send (2.2.2); PUBLISH has its own.
FLAGS = {
    CONNECT: 0,
    PUBACK: 0,
    PUBREC: 0,
    PUBREL: 2,
    PUBCOMP: 0,
    SUBSCRIBE: 2,
    UNSUBSCRIBE: 2,
    PINGREQ: 0,
    DISCONNECT: 0,
}


class Malformed(Exception):
    """A packet that a server must answer by closing the connection; the text says why."""


class Refused(Exception):
    """A CONNECT that is answered by CONNACK with `code` (1-5), then closed."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with code {code}")
        self.code = code


class Connect(NamedTuple):
    client_id: str
    clean: bool
    keepalive_s: int
    user: str | None
    password: bytes | None
    will_topic: str | None
    will_payload: bytes
    will_qos: int
    will_retain: bool


def read_length(data: bytes, position: int) -> tuple[int, int] | None:
    """(remaining length, position after it), or None if there is more of it to come (2.2.3)."""
    length = 0
    for index in range(4):
        if position + index >= len(data):
            return None
        byte = data[position + index]
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return length, position + index + 1
    raise Malformed("bad remaining length")


def encode_length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, byte = divmod(length, 128)
        encoded.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def packet(first_byte: int, body: bytes) -> bytes:
    return bytes((first_byte,)) + encode_length(len(body)) + body


def publish(topic: str, payload: bytes, qos: int, retain: bool, dup: bool, pid: int) -> bytes:
    name = topic.encode()
    identifier = pid.to_bytes(2, "big") if qos else b""
    body = len(name).to_bytes(2, "big") + name + identifier + payload
    return packet(PUBLISH << 4 | dup << 3 | qos << 1 | retain, body)


@lru_cache(maxsize=1024)
def text(data: bytes) -> str:
    """A UTF-8 string (1.5.3), as strict as Mosquitto: no NUL, no control or non-characters."""
    try:
        string = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    for character in string:
        code = ord(character)
        if code < 0x20 or 0x7F <= code <= 0x9F or code & 0xFFFE == 0xFFFE:
            raise Malformed("a control or non-character in a string")
        if 0xFDD0 <= code <= 0xFDEF:
            raise Malformed("a control or non-character in a string")
    return string


@lru_cache(maxsize=1024)
def topic_name(data: bytes) -> str:
    topic = text(data)
    if not topic:
        raise Malformed("empty topic")
    if "+" in topic or "#" in topic:
        raise Malformed("topic with a wildcard")
    return topic


@lru_cache(maxsize=1024)
def topic_filter(data: bytes) -> str:
    string = text(data)
    levels = string.split("/")
    bad = [one for one in levels if len(one) > 1 and ("+" in one or "#" in one)]
    if not string or bad or "#" in levels[:-1]:
        raise Malformed("bad topic filter")
    return string


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter takes a topic (4.7); wildcards first do not match `$…`."""
    if topic[0] == "$" and pattern[0] in "+#":
        return False
    wanted = pattern.split("/")
    levels = topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or (level != "+" and level != levels[index]):
            return False
    return len(wanted) == len(levels)


class Body:
    """The bytes after the fixed header, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise Malformed("packet too short")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def left(self) -> bool:
        return self.position < len(self.data)

    def end(self) -> None:
        if self.left():
            raise Malformed("bytes after the end of the packet")


def packet_id(body: Body) -> int:
    number = body.number()
    if number == 0:
        raise Malformed("packet id 0")
    return number


def read_connect(data: bytes) -> Connect:
    """Section 3.1. Raises Malformed, or Refused for what is answered by a code."""
    body = Body(data)
    name = body.string()
    level = body.take(1)[0]
    if name != b"MQTT":
        raise Malformed("wrong protocol name")
    if level != 4:
        raise Refused(1)
    flags = body.take(1)[0]
    if flags & 1:
        raise Malformed("reserved CONNECT flag")
    will = flags >> 2 & 1
    will_qos = flags >> 3 & 3
    if will_qos == 3 or (not will and flags & 0x38):
        raise Malformed("inconsistent will flags")
    if flags & 0xC0 == 0x40:
        raise Malformed("password without user")
    keepalive_s = body.number()
    clean = bool(flags & 2)
    client_id = text(body.string())
    will_topic = topic_name(body.string()) if will else None
    will_payload = body.string() if will else b""
    user = text(body.string()) if flags & 0x80 else None
    password = body.string() if flags & 0x40 else None
    body.end()
    if not client_id and not clean:
        raise Refused(2)
    return Connect(
        client_id,
        clean,
        keepalive_s,
        user,
        password,
        will_topic,
        will_payload,
        will_qos,
        bool(flags & 0x20),
    )


def read_subscribe(data: bytes) -> tuple[int, list[tuple[str, int]]]:
    """Section 3.8: packet id and [(filter, QoS)]."""
    body = Body(data)
    pid = packet_id(body)
    wanted = []
    while body.left():
        pattern = topic_filter(body.string())
        qos = body.take(1)[0]
        if qos > 2:
            raise Malformed("bad QoS in SUBSCRIBE")
        wanted.append((pattern, qos))
    if not wanted:
        raise Malformed("SUBSCRIBE without a topic filter")
    return pid, wanted


def read_unsubscribe(data: bytes) -> tuple[int, list[str]]:
    body = Body(data)
    pid = packet_id(body)
    patterns = []
    while body.left():
        patterns.append(topic_filter(body.string()))
    if not patterns:
        raise Malformed("UNSUBSCRIBE without a topic filter")
    return pid, patterns


def read_acknowledgement(data: bytes) -> int:
    if len(data) != 2:
        raise Malformed("bad remaining length")
    return packet_id(Body(data))
