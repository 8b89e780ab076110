"""The emulated sensors at the pins of an emulated ESP32-C3, by the plan of `fieldpost.wired.plan`.

The devices are those of the desk (emulated/sensors.py). Their time is the wall clock. The board's
side of it is `on_board.py`, which asks over a serial line of the chip.
"""

import struct
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from emulated.desk import Desk
from emulated.registers import DeskI2C

# A request: its number, what is asked, two pins, an address, how many bytes follow, and how many
# are wanted. An answer: the request's number, an error or 0, how many bytes follow.
REQUEST = struct.Struct(">BBBBBHH")
ANSWER = struct.Struct(">BBH")
WRITE, READ, SCAN, MEASURE, LINES, DIE = 1, 2, 4, 5, 6, 7
# The chip's own temperature if no sensor says otherwise.
_DIE_C = 27.0
_EIO = 5
# Of a request that was interrupted the rest never comes.
_WHOLE_S = 0.5


class _Time:
    """What the devices know of the time."""

    def ticks_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def ticks_diff(self, end: int, start: int) -> int:
        return end - start

    def ticks_add(self, ticks: int, delta: int) -> int:
        return ticks + delta


class _Board:
    """What the desk needs of the board that it is."""

    def __init__(self) -> None:
        self.time = _Time()


class Wires:
    """The far end of the board's serial line."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._desk = Desk(_Board(), plan)
        self._buses = {
            (one["scl"], one["sda"]): self._desk.bus(one["bus"])
            for one in plan["sensors"]
            if one.get("scl") is not None
        }
        self._pending = b""
        self._heard_at = 0.0

    def heard(self, data: bytes) -> bytes:
        """What the board says; returns what is to be answered."""
        now = time.monotonic()
        if now - self._heard_at > _WHOLE_S:
            self._pending = b""
        self._heard_at = now
        self._pending += data
        answers = b""
        while len(self._pending) >= REQUEST.size:
            number, kind, first, second, address, size, count = REQUEST.unpack_from(self._pending)
            end = REQUEST.size + size
            if len(self._pending) < end:
                break
            written, self._pending = self._pending[REQUEST.size : end], self._pending[end:]
            error, answer = self._answer(kind, (first, second), address, written, count)
            answers += ANSWER.pack(number, error, len(answer)) + answer
        return answers

    def _answer(
        self, kind: int, pins: tuple[int, int], address: int, written: bytes, count: int
    ) -> tuple[int, bytes]:
        self._desk.time.ticks_ms()  # what has changed meanwhile
        if kind == MEASURE:
            adc = self._desk.adcs.get(pins[0])
            return 0, (max(adc.read_uv(), 0) if adc else 0).to_bytes(4, "big")
        if kind == DIE:
            die_c = _DIE_C if self._desk.die_c is None else self._desk.die_c
            return 0, round(die_c * 100).to_bytes(4, "big", signed=True)
        if kind == LINES:
            return 0, bytes(pin for pair in self._buses for pin in pair)
        bus = self._buses.get(pins) or DeskI2C()
        try:
            if kind == SCAN:
                return 0, bytes(bus.scan())
            if kind & WRITE:
                bus.writeto(address, written)
            answer = bytearray(count)
            if kind & READ:
                bus.readfrom_into(address, answer)
        except OSError as error:
            return error.args[0], b""
        except Exception:
            # A device of somebody's own may do anything, and the board goes on.
            traceback.print_exc(file=sys.stderr)
            return _EIO, b""
        return 0, bytes(answer)
