"""Asks a time server once, without ever waiting: a client for SNTP version 4 (RFC 4330).

    sntp = Sntp(socket, select, clock)
    sntp.start("pool.ntp.org")
    while (unix_s := sntp.poll()) is None:
        ...                               # whatever else there is to do

The one call that can take long is the look-up of the name in `start`: no port has a time-out
there.
"""

import os
import struct

from micropython import const

_PORT = const(123)
_PACKET_BYTES = const(48)
_POLLIN = const(1)
_ETIMEDOUT = const(110)
# Datagrams looked at in one poll: a flood must not hold the node.
_DATAGRAMS_MAX = const(8)
_ASK = const(0x23)  # leap indicator 0, version 4, mode 3: client
_MODE_SERVER = const(4)
_LEAP_UNSYNCHRONISED = const(3)
_STRATUM_MAX = const(15)
_UNIX_EPOCH_S = const(2208988800)  # 1970-01-01 in seconds since 1900-01-01
_ERA_S = const(4294967296)
_ERA_1_BELOW = const(0x80000000)


class Sntp:
    """One question at a time, on one UDP socket, which is closed however it ends.

    socket, select: the port's modules. clock: `ticks_ms`, `ticks_add`, `ticks_diff`. timeout_ms:
    from `start` to the answer.
    """

    def __init__(self, socket, select, clock, timeout_ms=5000):
        self._socket = socket
        self._select = select
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._sock = None
        self._poll = None
        self._mark = b""
        self._asked = 0
        self.round_trip_ms = None  # of the last answer

    def start(self, host, port=_PORT):
        """Ask `host`; a question still open is given up. OSError if it cannot be sent."""
        self.close()
        socket = self._socket
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)
        if not found:
            raise OSError(-2)
        try:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.setblocking(False)
            self._poll = self._select.poll()
            self._poll.register(self._sock, _POLLIN)
            # The server returns what stands in the place of our own time: a random number there
            # tells its answer from a stranger's, and tells the server nothing.
            self._mark = os.urandom(8)
            question = bytearray(_PACKET_BYTES)
            question[0] = _ASK
            question[40:48] = self._mark
            self._asked = self._clock.ticks_ms()
            self._sock.sendto(question, found[0][-1])
        except OSError:
            self.close()
            raise

    def poll(self):
        """Unix seconds, rounded, once the answer is here; None until then.

        OSError at the deadline, or when the server sends its refusal (a kiss-o'-death) or says
        that its own clock is not set: then ask another, later. What does not answer our question
        is passed over.
        """
        if self._sock is None:
            raise OSError(_ETIMEDOUT)
        try:
            for _ in range(_DATAGRAMS_MAX):
                if not self._poll.poll(0):
                    break
                unix_s = self._take(self._sock.recvfrom(_PACKET_BYTES)[0])
                if unix_s is not None:
                    self.close()
                    return unix_s
            if self._clock.ticks_diff(self._clock.ticks_ms(), self._asked) >= self._timeout_ms:
                raise OSError(_ETIMEDOUT)
        except OSError:
            self.close()
            raise
        return None

    def close(self):
        """Give up the question, if there is one."""
        if self._sock is not None:
            self._poll = None
            self._sock.close()
            self._sock = None

    def _take(self, answer):
        """Unix seconds out of a reply to our question; None for any other datagram."""
        now = self._clock.ticks_ms()
        if len(answer) < _PACKET_BYTES or answer[24:32] != self._mark:
            return None
        if answer[0] & 7 != _MODE_SERVER:
            return None
        stratum = answer[1]
        if stratum == 0:
            raise OSError("time server refuses: " + _letters(answer[12:16]))
        received_s, received, sent_s, sent = struct.unpack("!4I", answer[32:48])
        if (
            stratum > _STRATUM_MAX
            or answer[0] >> 6 == _LEAP_UNSYNCHRONISED
            or not (sent_s or sent)
        ):
            raise OSError("time server is not synchronised")
        round_trip_ms = self._clock.ticks_diff(now, self._asked)
        # The time that the server took to answer is no part of the way.
        held_ms = (sent_s - received_s) * 1000 + (sent - received) * 1000 // _ERA_S
        if 0 <= held_ms <= round_trip_ms:
            round_trip_ms -= held_ms
        self.round_trip_ms = round_trip_ms
        # RFC 4330, section 3: seconds with the top bit clear belong to the era from 2036 on.
        if sent_s < _ERA_1_BELOW:
            sent_s += _ERA_S
        late_ms = sent * 1000 // _ERA_S + round_trip_ms // 2
        return sent_s - _UNIX_EPOCH_S + (late_ms + 500) // 1000


def _letters(code):
    return "".join([chr(byte) for byte in code if 32 < byte < 127]) or "no reason given"
