"""Plantower PMS5003 and its kin: particles in air, on a UART with 9600 baud.

Data sheet: PMS5003 series data manual, version 2.3, appendix I, 'Active mode'. The sensor sends
a frame by itself every 0.2 to 2.3 s.
"""

from micropython import const

_HEAD = b"\x42\x4d"
_FRAME = const(32)
_LENGTH = const(28)
# The longest interval between two frames, and the 33 ms that one takes.
_INTERVAL_MS = const(2400)
# Bytes: data 4 to 6, 'under atmospheric environment'.
_PM1 = const(10)
_ETIMEDOUT = const(110)


class PMS5003:
    """`uart` is as `machine.UART`, 9600 baud, and its receive buffer holds 64 bytes or more.

    Fields: pm1, pm25, pm10 in ug/m3: particles up to 1.0, 2.5 and 10 um. Raises OSError if no
    frame came, ValueError if none was right.
    """

    FIELDS = ("pm1", "pm25", "pm10")

    def __init__(self, uart):
        self._uart = uart

    def start(self):
        """Forget what has come before; returns the ms until a new frame must be there."""
        # What waits is old, and its end was lost when the buffer was full.
        waiting = self._uart.any()
        if waiting:
            self._uart.read(waiting)
        return _INTERVAL_MS

    def read(self):
        """(pm1, pm25, pm10) of the latest frame whose checksum is right."""
        data = self._uart.read() or b""
        wrong = len(data) >= _FRAME
        at = data.rfind(_HEAD)
        while at >= 0:
            if len(data) - at >= _FRAME:
                frame = data[at : at + _FRAME]
                if _is_right(frame):
                    return tuple(frame[i] << 8 | frame[i + 1] for i in (_PM1, _PM1 + 2, _PM1 + 4))
            at = data[:at].rfind(_HEAD)
        if wrong:
            raise ValueError("bad checksum")
        raise OSError(_ETIMEDOUT, "no frame")


def _is_right(frame):
    """Whether the length is right and the last two bytes are the sum of the rest."""
    length = frame[2] << 8 | frame[3]
    return length == _LENGTH and sum(frame[:-2]) == frame[-2] << 8 | frame[-1]
