"""Plantower PMS5003 and its kin: particles in air, on a UART with 9600 baud.

Data sheet: PMS5003 series data manual, version 2.3, appendix I, 'Active mode'. The sensor sends
a frame by itself every 0.2 to 2.3 s. Those of the kin are shorter or longer, and have the same
in the same places as far as they go. Agrees with ESPHome's pmsx003 and with PyPMS.
"""

from micropython import const

_HEAD = b"\x42\x4d"
# What the length in a frame may say; the frame has four bytes more. 20: PMS3003 (its data sheet's
# appendix A); 28: PMS5003, 5003S, 5003T, 7003, A003; 36: PMS5003ST (appendix A).
_LENGTHS = (20, 28, 36)
_LONGEST = const(40)
# The longest interval between two frames, and the 41 ms that one takes.
_INTERVAL_MS = const(2400)
# Bytes: data 4 to 6, 'under atmospheric environment'.
_PM1 = const(10)
_ETIMEDOUT = const(110)


class PMS5003:
    """`uart` is as `machine.UART`, 9600 baud, and its receive buffer holds 80 bytes or more.

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
        frame = self.frame()
        return word(frame, _PM1), word(frame, _PM1 + 2), word(frame, _PM1 + 4)

    def frame(self):
        """The bytes of that frame, of whichever of the kin."""
        data = self._uart.read() or b""
        is_wrong = len(data) >= _LONGEST
        at = data.rfind(_HEAD)
        while at >= 0:
            frame = data[at:]
            if len(frame) > 4:
                length = word(frame, 2)
                if len(frame) >= 4 + length:
                    is_wrong = True
                    frame = frame[: 4 + length]
                    if length > 4 and sum(frame[:-2]) & 0xFFFF == word(frame, length + 2):
                        if length in _LENGTHS:
                            return frame
                        raise ValueError("a frame of %d bytes, of an unknown model" % len(frame))
            at = data[:at].rfind(_HEAD)
        if is_wrong:
            raise ValueError("bad checksum")
        raise OSError(_ETIMEDOUT, "no frame")


def word(frame, at):
    """The 16-bit number in the bytes `at` and `at` + 1."""
    return frame[at] << 8 | frame[at + 1]
