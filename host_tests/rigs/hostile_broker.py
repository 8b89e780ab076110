"""A broker on loopback that answers as it likes: a real server's answers, spoilt by a seed."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from rigs.hostile_payloads import payload, spoilt

from fakes import mqtt_packets as mqtt

_ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\x85\r"
_TOPICS = (
    b"",
    b"\xff\xfe",
    b"\x00",
    b"fieldpost/+/cmd/result",
    _ESCAPES.encode(),
    b"fieldpost/n/status",
    b"fieldpost/n/cmd/result",
    b"fieldpost/n/telemetry",
    b"x" * 60_000,
    b"\xed\xa0\x80",
)


class Endless(NamedTuple):
    """What is sent first, and what after it for as long as it is taken."""

    head: bytes
    piece: bytes


# None closes the connection.
Answer = Callable[["Hostile", int, bytes], bytes | Endless | None]


class Hostile:
    """`answer(self, kind, body)` gives what is sent for a packet of a client; `url` is for it.

    sent_bytes: what one connection took at most. rng: what the answers are drawn from.
    """

    def __init__(self, answer: Answer, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.sent_bytes = 0
        self._answer = answer
        self._end = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepts = threading.Thread(target=self._accept, daemon=True)
        self._accepts.start()

    def __enter__(self) -> Hostile:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepts, *self._threads):
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self._end.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        data = b""
        sent = 0
        peer.settimeout(0.2)
        with peer, contextlib.suppress(OSError, mqtt.Malformed):
            while not self._end.is_set():
                with contextlib.suppress(TimeoutError):
                    if not (more := peer.recv(65_536)):
                        return
                    data += more
                while taken := _packet(data):
                    kind, body, data = taken
                    answer = self._answer(self, kind, body)
                    if answer is None:
                        return
                    first = answer.head if isinstance(answer, Endless) else answer
                    peer.sendall(first)
                    self._sent(sent := sent + len(first))
                    while isinstance(answer, Endless) and not self._end.is_set():
                        with contextlib.suppress(TimeoutError):
                            self._sent(sent := sent + peer.send(answer.piece))

    def _sent(self, count: int) -> None:
        self.sent_bytes = max(self.sent_bytes, count)


def _packet(data: bytes) -> tuple[int, bytes, bytes] | None:
    """(kind, body, the bytes after it) of the first packet, None if it is not all there."""
    found = mqtt.read_length(data, 1)
    if found is None or len(data) < sum(found):
        return None
    length, start = found
    return data[0] >> 4, data[start : start + length], data[start + length :]


def polite(broker: Hostile, kind: int, body: bytes) -> bytes:
    """As a server answers who grants everything and passes nothing on."""
    if kind == mqtt.CONNECT:
        return b"\x20\x02\x00\x00"
    if kind == mqtt.SUBSCRIBE:
        return mqtt.packet(0x90, body[:2] + b"\x01")
    if kind == mqtt.UNSUBSCRIBE:
        return mqtt.packet(0xB0, body[:2])
    if kind == mqtt.PUBLISH:
        # Every QoS 1: the identifier stands behind the topic.
        at = 2 + int.from_bytes(body[:2], "big")
        return mqtt.packet(0x40, body[at : at + 2])
    return b"\xd0\x00" if kind == mqtt.PINGREQ else b""


def spoils(broker: Hostile, kind: int, body: bytes) -> bytes | None:
    """A server's answer, spoilt or followed by what nobody asked for."""
    rng = broker.rng
    answer = bytearray(polite(broker, kind, body))
    if kind == mqtt.CONNECT and rng.random() < 0.5:
        return bytes(answer)  # else few connections would come further
    how = rng.randrange(9)
    if how == 0 and answer:
        answer[rng.randrange(len(answer))] = rng.choice((0, 1, 2, 3, 0x7F, 0x80, 0xFF))
    elif how == 1:
        del answer[rng.randrange(1 + len(answer)) :]
    elif how == 2:
        answer += rng.randbytes(rng.randrange(1, 40))
    elif how == 3:
        return None
    elif how == 4:
        answer = answer * rng.choice((2, 500))
    elif how == 5:
        answer += b"\x30" + rng.choice((b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x7f", b"\x01"))
    elif how == 6:
        answer += b"\x90\x02\x00\x01" + b"\x90\x00" + b"\x20\x02\x00\x01"
    else:
        answer += stray(rng)
    return bytes(answer)


def stray(rng: random.Random) -> bytes:
    """Messages that nobody asked for."""
    found = b""
    for _ in range(rng.choice((1, 3, 40))):
        topic = rng.choice(_TOPICS)
        name = len(topic).to_bytes(2, "big") + topic
        qos = rng.choice((0, 0, 1, 2, 3))
        identifier = rng.randbytes(2) if qos else b""
        found += mqtt.packet(0x30 | qos << 1 | rng.randrange(2), name + identifier + payload(rng))
    return found


def answers_commands(broker: Hostile, kind: int, body: bytes) -> bytes:
    """A polite server, and a node behind it whose answers are its own."""
    answer = polite(broker, kind, body)
    if kind != mqtt.PUBLISH:
        return answer
    rng = broker.rng
    length = int.from_bytes(body[:2], "big")
    topic = body[2 : 2 + length].decode()
    asked = json.loads(body[4 + length :])
    told: Any = {"ok": rng.random() < 0.5, "error": "no", "value": [1, {"a": 2}]}
    told |= {"lines": ["a\nb", _ESCAPES], _ESCAPES: {"b": [None, True, _ESCAPES]}}
    told = spoilt(rng, told)
    if isinstance(told, dict):
        told["id"] = asked["id"]
    text = json.dumps(told, ensure_ascii=rng.random() < 0.5)
    with contextlib.suppress(UnicodeEncodeError):
        answer += mqtt.publish(f"{topic}/result", text.encode(), 0, False, False, 0)
    return answer


def endless(at: int, head: bytes, piece: bytes) -> Answer:
    """Polite until the packet of kind `at`."""

    def answer(broker: Hostile, kind: int, body: bytes) -> bytes | Endless:
        first = polite(broker, kind, body)
        return Endless(first + head, piece) if kind == at else first

    return answer
