"""What the emulated radio may reach, and the account of what it sent and received.

It is handed each Ethernet frame of the board, whatever emulates that. rp2040py's `NatBridge` dials
whatever address the board asks for on the real network. Here that is confined: of all addresses
only the gateway, 10.0.0.1, answers, on the ports given, and it is this machine's loopback. Of UDP
only DHCP and the gateway's own time server answer; the rest is dropped, so no name is looked up.
"""

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from rp2040py.external.cyw43 import net
from rp2040py.external.cyw43.nat import NatBridge, TcpReflector

from fieldpost.emulator.addresses import GATEWAY, LOOPBACK

# Finished connections that are remembered; the totals go on counting.
_REMEMBERED = 200
_DHCP_PORT = 67
_NTP_PORT = 123
_NTP_BYTES = 48
_NTP_SERVER = 0x24  # version 4, mode 4 (RFC 5905, section 7.3)
_NTP_EPOCH_S = 2208988800  # 1970 in seconds since 1900

Dialled = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Chip(Protocol):
    """What the network needs of the chip whose radio it is."""

    def schedule_threadsafe(self, work: Coroutine[Any, Any, Any], /) -> Any:
        """Have a coroutine run; called where the frames come in."""

    def now_ms(self) -> float:
        """The chip's own clock."""
        ...

    def world_begins(self) -> None:
        """From now on its clock may not outrun the wall clock."""

    def world_ends(self) -> None:
        """It may again: called once for each beginning."""


class _Way:
    """One direction of a connection: TCP segments, those of them with payload, its bytes."""

    def __init__(self) -> None:
        self.segments = self.data_segments = self.bytes = self.repeated = 0
        self._next_seq: int | None = None

    def count(self, tcp: net.TcpSegment) -> None:
        self.segments += 1
        if not tcp.payload:
            return
        # Sequence numbers are 32 bits wide: what lies behind the highest was sent before.
        end = (tcp.seq + len(tcp.payload)) & 0xFFFFFFFF
        if self._next_seq is not None and (end - self._next_seq - 1) & 0xFFFFFFFF >= 1 << 31:
            self.repeated += 1
        else:
            self._next_seq = end
        self.data_segments += 1
        self.bytes += len(tcp.payload)

    def as_json(self) -> dict[str, int]:
        return {
            "segments": self.segments,
            "data_segments": self.data_segments,
            "bytes": self.bytes,
            "repeated": self.repeated,
        }


class _Connection:
    def __init__(self, host: str, port: int, started_ms: float) -> None:
        self.host = host
        self.port = port
        self.started_ms = started_ms
        self.segment_bytes_max: int | None = None  # what the board said that it takes
        self.sent = _Way()
        self.received = _Way()

    def as_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "started_ms": round(self.started_ms, 1),
            "segment_bytes_max": self.segment_bytes_max,
            "sent": self.sent.as_json(),
            "received": self.received.as_json(),
        }


class _Flows(dict[Any, Any]):
    """The table of open connections, which says when there is one.

    While there is, the chip's time must not outrun the wall clock, or its deadlines would be
    over before a real broker can answer.
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__()
        self._chip = chip

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self:
            self._chip.world_begins()
        super().__setitem__(key, value)

    def pop(self, key: Any, default: Any = None) -> Any:
        was = bool(self)
        value = super().pop(key, default)
        if was and not self:
            self._chip.world_ends()
        return value

    def clear(self) -> None:
        if self:
            self._chip.world_ends()
        super().clear()


class Network:
    """Stands between a radio and `NatBridge`: counts, confines, hands on.

    queue_frame: hands the board a frame. ports: which of the gateway's ports answer, and with
    which loopback port; may be changed at any time. open_network: let the board reach everything.
    `silent`: frames vanish in both directions, as with an access point that lost its uplink.
    """

    def __init__(
        self,
        chip: Chip,
        queue_frame: Callable[[bytes], None],
        ports: Mapping[int, int],
        open_network: bool = False,
    ) -> None:
        self.ports = dict(ports)
        self.silent = False
        self._chip = chip
        self._open_network = open_network
        self._queue_frame = queue_frame
        self._bridge = NatBridge(chip, self._to_board)  # type: ignore[arg-type]
        tcp = TcpReflector(chip, self._to_board, connect_fn=self._dial)  # type: ignore[arg-type]
        self._flows = tcp._flows = _Flows(chip)
        self._bridge._tcp = tcp
        self._abandoned: list[asyncio.StreamWriter] = []
        self._connections: dict[tuple[int, str, int], _Connection] = {}
        self._finished: list[_Connection] = []
        self.refused = self.dropped_datagrams = 0
        self._frames = {"sent": 0, "received": 0}
        self._frame_bytes = {"sent": 0, "received": 0}

    def as_json(self) -> dict[str, Any]:
        """The account since the start or the last `forget`."""
        everyone = [*self._finished, *self._connections.values()]
        return {
            "board_ms": round(self._chip.now_ms(), 1),
            "frames": dict(self._frames),
            "frame_bytes": dict(self._frame_bytes),
            "refused": self.refused,
            "dropped_datagrams": self.dropped_datagrams,
            "connections": [one.as_json() for one in everyone],
        }

    def forget(self) -> None:
        """Begin the account anew; a connection that is open is counted on from 0."""
        self._finished.clear()
        for key, old in list(self._connections.items()):
            self._connections[key] = _Connection(old.host, old.port, old.started_ms)
        self.refused = self.dropped_datagrams = 0
        for counts in (self._frames, self._frame_bytes):
            counts["sent"] = counts["received"] = 0

    # What the radio calls ----------------------------------------------------------------------

    def handle_outbound_ethernet_frame(self, frame: bytes) -> None:
        """A frame from the board."""
        self._count("sent", frame)
        if self.silent:
            return
        if not self._open_network and self._is_datagram(frame):
            return
        try:
            self._bridge.handle_outbound_ethernet_frame(frame)
        except OSError:
            pass  # The board closes a connection whose peer on this machine has gone already.

    def reset(self) -> None:
        """The board has left its access point."""
        self._bridge.reset()

    def lose(self) -> None:
        """The chip was reset: it knows nothing of its connections, and its peers have no news."""
        for flow in self._flows.values():
            if flow.pump_task is not None:
                flow.pump_task.cancel()
            if flow.writer is not None:
                self._abandoned.append(flow.writer)
        self._flows.clear()

    # Inside ------------------------------------------------------------------------------------

    def _to_board(self, frame: bytes) -> None:
        if not self.silent:
            self._count("received", frame)
            self._queue_frame(frame)

    def _is_datagram(self, frame: bytes) -> bool:
        """Whether it is UDP other than DHCP, which is then answered here or not at all."""
        ethernet = net.parse_ethernet(frame)
        if ethernet is None or ethernet.ethertype != net.ETHERTYPE_IPV4:
            return False
        packet = net.parse_ipv4(ethernet.payload)
        if packet is None or packet.proto != net.IP_PROTO_UDP:
            return False
        datagram = net.parse_udp(packet.payload)
        if datagram is not None and datagram.dst_port == _DHCP_PORT:
            return False
        if (
            datagram is None
            or datagram.dst_port != _NTP_PORT
            or _text(packet.dst_ip) != GATEWAY
            or len(datagram.payload) < _NTP_BYTES
        ):
            self.dropped_datagrams += 1
            return True
        answer = net.pack_udp(
            packet.dst_ip, packet.src_ip, _NTP_PORT, datagram.src_port, _time(datagram.payload)
        )
        answer = net.pack_ipv4(packet.dst_ip, packet.src_ip, net.IP_PROTO_UDP, answer)
        self._to_board(
            net.pack_ethernet(ethernet.src_mac, ethernet.dst_mac, net.ETHERTYPE_IPV4, answer)
        )
        return True

    async def _dial(self, host: str, port: int) -> Dialled:
        if self._open_network and host != GATEWAY:
            return await asyncio.open_connection(host, port)
        if host == GATEWAY and port in self.ports:
            return await asyncio.open_connection(LOOPBACK, self.ports[port])
        self.refused += 1
        raise ConnectionRefusedError(host, port)

    def _count(self, way: str, frame: bytes) -> None:
        self._frames[way] += 1
        self._frame_bytes[way] += len(frame)
        ethernet = net.parse_ethernet(frame)
        if ethernet is None or ethernet.ethertype != net.ETHERTYPE_IPV4:
            return
        packet = net.parse_ipv4(ethernet.payload)
        if packet is None or packet.proto != net.IP_PROTO_TCP:
            return
        tcp = net.parse_tcp(packet.payload)
        if tcp is None:
            return
        if way == "sent":
            key = (tcp.src_port, _text(packet.dst_ip), tcp.dst_port)
        else:
            key = (tcp.dst_port, _text(packet.src_ip), tcp.src_port)
        known = self._connections.get(key)
        if known and known.received.segments and way == "sent" and tcp.flags & net.TCP_SYN:
            self._finished.append(self._connections.pop(key))  # the port is used again
            known = None
        if known is None:
            known = _Connection(key[1], key[2], self._chip.now_ms())
            self._connections[key] = known
            while len(self._connections) > _REMEMBERED:
                oldest = next(iter(self._connections))
                self._finished.append(self._connections.pop(oldest))
            del self._finished[:-_REMEMBERED]
        known.segment_bytes_max = known.segment_bytes_max or tcp.mss
        (known.sent if way == "sent" else known.received).count(tcp)


def _text(address: bytes) -> str:
    return ".".join(str(byte) for byte in address)


def _time(question: bytes) -> bytes:
    """The time server's answer: this machine's clock."""
    now = struct.pack(">Q", int((time.time() + _NTP_EPOCH_S) * (1 << 32)))
    head = struct.pack(">BBbbIII", _NTP_SERVER, 1, question[2], -20, 0, 0, 0x4C4F434C)  # LOCL
    return head + now + question[40:48] + now + now
