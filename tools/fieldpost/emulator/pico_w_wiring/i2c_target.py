"""The devices on one I2C bus as their controller meets them: addressed, then byte by byte.

The devices themselves know whole messages (emulated/i2c.py). A message to one is over with its
last byte, where the controller says which that is, else with the next start or stop.
"""

import sys
import traceback
from typing import Any

# More than any driver reads at once; what a device says after its end is thrown away.
_ANSWER_BYTES = 256
_IDLE = 0xFF


class I2cTarget:
    """bus: a `emulated.registers.DeskI2C`, with the devices by their addresses."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self._address = 0
        self._message = bytearray()
        self._answer = b""

    def connect(self, address: int, reads: bool, strict: bool = False) -> bool:
        """A start, and an address; whether somebody acknowledges it.

        strict: a chip whose address nobody knows but its driver does not, so that a search for
        devices finds those alone that are there.
        """
        self.stop()
        self._address = address
        known = address in self._bus.devices or (self._bus.anywhere and not strict)
        if not known or self._bus.stuck:
            return False
        if not reads:
            return True
        answer = bytearray(_ANSWER_BYTES)
        if not self._tried(lambda: self._bus.readfrom_into(address, answer)):
            return False
        self._answer = bytes(answer)
        return True

    def write(self, byte: int, is_last: bool = False) -> bool:
        """A byte for the device; whether it acknowledges."""
        self._message.append(byte)
        return not is_last or self._deliver()

    def read(self) -> int:
        """A byte of the device; when it has no more, nobody pulls the line down."""
        if not self._answer:
            return _IDLE
        byte, self._answer = self._answer[0], self._answer[1:]
        return byte

    def stop(self) -> None:
        """A stop, or the start of what comes next."""
        self._deliver()
        self._answer = b""

    def _deliver(self) -> bool:
        message, self._message = bytes(self._message), bytearray()
        return not message or self._tried(lambda: self._bus.writeto(self._address, message))

    def _tried(self, deed: Any) -> bool:
        try:
            deed()
        except OSError:
            return False  # That is how the emulated bus says that nobody acknowledges.
        except Exception:
            # A device of somebody's own may do anything, and the board goes on.
            traceback.print_exc(file=sys.stderr)
            return False
        return True
