"""A relay on loopback between a node and its broker that notes each packet, both ways.

It can be shut: then a node finds nobody, as long as whoever listens at the broker is not back yet.
And it can go silent in the middle of a delivery, where the broker is then ended.
"""

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from brokers.packets import Packet, Parser
from fieldpost.messages.account import Key
from fieldpost.mqtt.brokers import HOST

_READ_BYTES = 65536


@dataclass(frozen=True)
class Passed:
    """One packet. at_s: since the tap began. way: "up" to the broker, "down" to the node.

    packet: None for the end of the connection, by the side that `way` comes from.
    """

    at_s: float
    connection: int
    way: str
    packet: Packet | None

    def __str__(self) -> str:
        arrow = "->" if self.way == "up" else "<-"
        head = f"{self.at_s:8.3f} s  #{self.connection} {arrow} "
        one = self.packet
        if one is None:
            return head + "closes"
        words = [one.name]
        if one.packet_id is not None:
            words.append(str(one.packet_id))
        if one.name in ("PUBLISH", "SUBSCRIBE"):
            words.append(one.topic)
        if one.name == "PUBLISH":
            words.append(f"QoS {one.qos}, {len(one.payload)} bytes")
            words += ["RETAIN"] if one.is_retained else []
        if one.name in ("CONNACK", "SUBACK"):
            words.append(one.body.hex(" "))
        return head + " ".join(words)


class Tap:
    """Hands on connections to a loopback port, from entering `with` until leaving it.

    silent_after: so many acknowledgements, then nothing passes until the connection ends.
    can_read: False where TLS passes, of which only the ends of connections can be noted.
    """

    def __init__(
        self, target_port: int, silent_after: int | None = None, *, can_read: bool = True
    ) -> None:
        self._silent_after = silent_after
        self._acknowledged = 0
        self.silent = threading.Event()
        self._silent_connection = -1
        self._target_port = target_port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._can_read = can_read
        self._passed: list[Passed] = []
        self._newest_at_s = 0.0
        self._ends: list[socket.socket] = []
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._connections = 0

    def __enter__(self) -> Self:
        self._accept()
        return self

    def shut(self) -> None:
        """Nobody listens from now on: a connection is refused, as where a broker has ended."""
        # Without this the thread that waits there would still be given one.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def open(self) -> None:
        """Listen again, on the same port."""
        self._listener = socket.create_server((HOST, self.port))
        self._accept()

    def cut(self) -> None:
        """End all connections, and let none in: the line is gone, and the broker stays."""
        self.shut()
        for end in self._ends:
            _shut(end)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()

    def passed(self) -> list[Passed]:
        """All packets so far, in their order."""
        with self._lock:
            return list(self._passed)

    def open_for_s(self) -> float:
        """How long the newest connection has been open; 0 if it has ended."""
        with self._lock:
            newest = self._connections - 1
            ended = any(one.packet is None for one in self._passed if one.connection == newest)
            if newest < 0 or ended:
                return 0.0
            return time.monotonic() - self._start - self._newest_at_s

    def silence(self) -> None:
        """Nothing passes on the newest connection any more."""
        self._silent_connection = self._connections - 1
        self.silent.set()

    def connections(self) -> int:
        """How many the node has made that the tap let through."""
        return self._connections

    # Inside ------------------------------------------------------------------------------------

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((HOST, self._target_port))
            except OSError:
                _shut(near)
                continue
            with self._lock:
                number = self._connections
                self._connections += 1
                self._newest_at_s = time.monotonic() - self._start
            self._ends += (near, far)
            for source, target, way in ((near, far, "up"), (far, near, "down")):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(
                    target=self._carry, args=(source, target, number, way), daemon=True
                ).start()

    def _carry(self, source: socket.socket, target: socket.socket, number: int, way: str) -> None:
        parser = Parser()
        while True:
            try:
                data = source.recv(_READ_BYTES)
            except OSError:
                data = b""
            for one in parser.feed(data) if self._can_read else ():
                self._note(number, way, one)
            if not data:
                self._note(number, way, None)
                # Both sides end: a broker that closes is gone for the node, and the other way.
                _shut(target)
                _shut(source)
                return
            if number != self._silent_connection:
                with contextlib.suppress(OSError):
                    target.sendall(data)

    def _note(self, number: int, way: str, packet: Packet | None) -> None:
        with self._lock:
            self._passed.append(Passed(time.monotonic() - self._start, number, way, packet))
            if packet and packet.name == "PUBACK" and way == "down":
                self._acknowledged += 1
                if self._acknowledged == self._silent_after:
                    self._silent_connection = number
                    self.silent.set()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@dataclass(frozen=True)
class Sent:
    """What a node sent of its readings. times: how often each key; acknowledged: by the broker."""

    times: dict[Key, int]
    acknowledged: set[Key]


def readings(passed: list[Passed]) -> Sent:
    """The account of the readings among the packets."""
    times: dict[Key, int] = {}
    acknowledged: set[Key] = set()
    waiting: dict[tuple[int, int | None], Key] = {}
    for one in passed:
        packet = one.packet
        if packet is None:
            continue
        if one.way == "up" and packet.name == "PUBLISH" and packet.topic.endswith("/telemetry"):
            reading = json.loads(packet.payload)
            key = (reading["boot"], reading["seq"])
            times[key] = times.get(key, 0) + 1
            waiting[(one.connection, packet.packet_id)] = key
        elif one.way == "down" and packet.name == "PUBACK":
            key = waiting.pop((one.connection, packet.packet_id), None)
            if key:
                acknowledged.add(key)
    return Sent(times, acknowledged)


def early(passed: list[Passed]) -> int:
    """How many messages left before the broker had answered CONNECT."""
    let_in: set[int] = set()
    count = 0
    for one in passed:
        if one.packet and one.packet.name == "CONNACK":
            let_in.add(one.connection)
        elif one.packet and one.packet.name == "PUBLISH" and one.way == "up":
            count += one.connection not in let_in
    return count
