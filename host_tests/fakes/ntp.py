"""A time server on the fake network: right, wrong by `skew_s`, or out of order."""

import struct

from fakes.net import FakeNet
from fakes.world import World

_NTP_TO_UNIX_S = 2_208_988_800  # from 1900 to 1970


class NtpServer:
    """True time is `unix_s` at the world's start; `skew_s` is this server's error.

    `stratum` 0 is a kiss of death, `leap` 3 an unsynchronised server: clients must not believe
    either (RFC 4330, section 5). `short` sends only half a packet.
    """

    def __init__(self, world: World, unix_s: float = 1_795_368_917) -> None:
        self.world = world
        self.skew_s = 0.0
        self.stratum = 2
        self.leap = 0
        self.short = False
        self.asked = 0
        self._start_s = unix_s

    def serve(self, net: FakeNet, host: str = "pool.ntp.org", port: int = 123) -> None:
        net.listen_udp(host, port, self.answer)

    def true_s(self) -> float:
        return self._start_s + self.world.now_us / 1_000_000

    def answer(self, datagram: bytes, _source: tuple[str, int]) -> bytes | None:
        if len(datagram) != 48 or datagram[0] & 7 != 3:
            return None
        self.asked += 1
        now = round((self.true_s() + self.skew_s + _NTP_TO_UNIX_S) * (1 << 32)) & (1 << 64) - 1
        stamp = now.to_bytes(8, "big")
        version = datagram[0] & 0x38
        head = struct.pack(
            ">BBbbII4s", self.leap << 6 | version | 4, self.stratum, 6, -20, 0, 0, b"FAKE"
        )
        reply = head + stamp + datagram[40:48] + stamp + stamp
        return reply[:24] if self.short else reply
