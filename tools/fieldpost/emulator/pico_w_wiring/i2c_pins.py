"""An I2C bus on two pins, for what the board does in software there: SoftI2C, and every `scan()`.

It listens to the levels of the pins, as the chip drives them bit by bit, and pulls SDA.
"""

from typing import TYPE_CHECKING, Any

from fieldpost.emulator.pico_w_wiring.i2c_target import I2cTarget

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_READ = 1


class I2cPins:
    """The bus with its pull-ups. target: the devices on it."""

    def __init__(self, chip: "RP2040", scl: int, sda: int, target: I2cTarget) -> None:
        from rp2040py.gpio_pin import GPIOPinState

        self._pins: tuple[Any, Any] = (chip.gpio[scl], chip.gpio[sda])
        self._low = GPIOPinState.LOW
        self._target = target
        self._levels = (True, True)
        # What the byte on the wire is: None, "address", "data" or "answer".
        self._expects: str | None = None
        self._bits: list[int] = []
        self._answer = 0
        self._pulls = False
        for pin in self._pins:
            pin.set_input_value(True)
            pin.add_listener(lambda *_: self._look())

    def _look(self) -> None:
        scl, sda = (pin.value != self._low for pin in self._pins)
        before, self._levels = self._levels, (scl, sda)
        if before == (scl, sda):
            return
        if before[0] and scl:  # SDA moves while SCL is high: start or stop
            self._target.stop()
            self._expects = None if sda else "address"
            self._bits = []
            self._pull(False)
        elif scl and not before[0]:
            self._clock_rises(sda)
        elif before[0] and not scl:
            self._clock_falls()

    def _clock_rises(self, sda: bool) -> None:
        if self._expects is None:
            return
        self._bits.append(int(sda))
        if len(self._bits) == 9 and self._expects == "answer":
            if sda and not self._pulls:
                self._expects = None  # the reader has enough
            else:
                self._answer = self._target.read()

    def _clock_falls(self) -> None:
        if self._expects is None:
            self._pull(False)
            return
        if len(self._bits) == 9:
            self._bits = []
        if len(self._bits) == 8:
            self._byte_is_over()
        elif self._expects == "answer":
            self._pull(not self._answer >> (7 - len(self._bits)) & 1)
        else:
            self._pull(False)

    def _byte_is_over(self) -> None:
        if self._expects == "answer":
            self._pull(False)  # the reader acknowledges
            return
        byte = sum(bit << (7 - at) for at, bit in enumerate(self._bits))
        if self._expects == "data":
            self._pull(self._target.write(byte))
            return
        reads = bool(byte & _READ)
        if not self._target.connect(byte >> 1, reads, strict=True):
            self._expects = None
            return
        self._expects = "answer" if reads else "data"
        self._pull(True)

    def _pull(self, low: bool) -> None:
        if low != self._pulls:
            self._pulls = low
            self._pins[1].set_input_value(not low)
