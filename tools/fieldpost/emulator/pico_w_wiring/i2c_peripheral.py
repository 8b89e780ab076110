"""One of the chip's two I2C peripherals, and the devices at its pins.

The peripheral's registers are rp2040py's own: it asks for each byte of a transfer, and is
answered at once. RP2040 datasheet 4.3.
"""

from collections.abc import Callable
from typing import Any

from fieldpost.emulator.pico_w_wiring.i2c_target import I2cTarget

# IC_DATA_CMD: with this byte the transfer is over.
_STOP = 1 << 9
# IC_RAW_INTR_STAT: nothing waits to be sent.
_TX_EMPTY = 1 << 4


class I2cPeripheral:
    """peripheral: of rp2040py. target: what is wired there. is_wired: whether the pins that it is
    wired to are the peripheral's at this moment."""

    def __init__(self, peripheral: Any, target: I2cTarget, is_wired: Callable[[], bool]) -> None:
        self._peripheral = peripheral
        self._target = target
        self._is_wired = is_wired
        peripheral.on_connect = self._connect
        peripheral.on_write_byte = self._write
        peripheral.on_read_byte = self._read
        peripheral.on_stop = self._stop

    def _connect(self, address: int, mode: int) -> None:
        acknowledged = self._is_wired() and self._target.connect(address, bool(mode))
        if not acknowledged:
            self._flush()
        self._peripheral.complete_connect(acknowledged)

    def _write(self, byte: int) -> None:
        # Each command is carried out while it is written: the last one written is this one.
        is_last = bool(self._peripheral.raw_write_value & _STOP)
        acknowledged = self._target.write(byte, is_last)
        if not acknowledged:
            self._flush()
        self._peripheral.complete_write(acknowledged)

    def _read(self, _acknowledges: bool) -> None:
        self._peripheral.complete_read(self._target.read())

    def _stop(self) -> None:
        self._target.stop()
        self._peripheral.complete_stop()

    def _flush(self) -> None:
        """An abort empties the queue of what is to be sent, which rp2040py does not say: the board
        would wait for it until its time is over, where a real one has EIO at once."""
        self._peripheral.int_raw = self._peripheral.int_raw | _TX_EMPTY
