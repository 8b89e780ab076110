"""A client that a probe drives packet by packet, and that notes when the broker closes."""

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from brokers import packets
from brokers.accounts import Account
from brokers.packets import Packet
from fieldpost.mqtt.brokers import HOST

LIMIT_S = 10.0  # amqtt takes seconds for the hash of a password


class Refused(Exception):
    """The broker did not answer CONNECT with an acceptance."""


class ProbeClient:
    """One connection. seen: the packets from the broker, in order. closed: the broker ended it."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, *, host: str = HOST) -> None:
        self.seen: list[Packet] = []
        self.closed = False
        self._parser = packets.Parser()
        self._socket = socket.create_connection((host, port), LIMIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def open(
        self,
        client_id: str,
        account: Account,
        *,
        clean: bool = True,
        will: tuple[str, bytes] | None = None,
    ) -> bool:
        """CONNECT and its answer: whether the broker had a session. Raises Refused."""
        self.send(packets.connect(client_id, account, clean=clean, will=will))
        self.wait(lambda: self.closed or self.of("CONNACK"))
        answers = self.of("CONNACK")
        if not answers or answers[0].body[1]:
            silence = "closes on CONNECT" if self.closed else "no answer to CONNECT"
            raise Refused(f"code {answers[0].body[1]}" if answers else silence)
        return bool(answers[0].body[0] & 1)

    def send(self, data: bytes) -> None:
        """Bytes as they are. What the broker no longer takes shows as `closed`."""
        try:
            self._socket.sendall(data)
        except OSError:
            self._read(0)
            self.closed = True

    def wait(self, reached: Callable[[], object], limit_s: float = LIMIT_S) -> bool:
        """Read until `reached()`, the broker's end or the limit; whether it was reached."""
        end = time.monotonic() + limit_s
        while not reached():
            left = end - time.monotonic()
            if left <= 0 or self.closed:
                return bool(reached())
            self._read(min(left, 0.1))
        return True

    def of(self, name: str) -> list[Packet]:
        """The packets of one type that came."""
        return [one for one in self.seen if one.name == name]

    def subscribe(self, topic: str, packet_id: int = 1) -> int | None:
        """The code of SUBACK; None if the broker closed or did not answer."""
        self.send(packets.subscribe(topic, packet_id))
        self.wait(lambda: self.of("SUBACK"))
        answers = self.of("SUBACK")
        return answers[-1].body[2] if answers else None

    def disconnect(self) -> None:
        """In order, so that no will is sent."""
        self.send(packets.DISCONNECT)
        self.wait(lambda: self.closed, 2)
        self._socket.close()

    def vanish(self) -> None:
        """As a node that loses its power behind a router: a reset instead of an end."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()

    def _read(self, wait_s: float) -> None:
        with contextlib.suppress(OSError, ValueError):
            ready = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
            if not (ready or select.select([self._socket], [], [], wait_s)[0]):
                return
            data = self._socket.recv(65536)
            if data:
                self.seen += self._parser.feed(data)
                return
        self.closed = True
