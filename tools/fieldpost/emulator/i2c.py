"""A sensor on two pins of the emulated Pico W: registers at an I2C address, with pull-ups.

It listens to the levels of the pins, as the chip drives them bit by bit in software (SoftI2C, and
every `scan()`). What the chip's I2C peripherals send does not reach the emulator's pins.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_READ = 1


class RegisterDevice:
    """One device and its bus. registers: address in the device -> byte; others read as 0."""

    def __init__(self, scl: int, sda: int, address: int, registers: dict[int, int]) -> None:
        self._pins = (scl, sda)
        self._address = address
        self._registers = dict(registers)
        self._pointer = 0
        self._levels = (True, True)
        # What the byte on the wire is: None, "address", "pointer", "data" or "answer".
        self._expects: str | None = None
        self._bits: list[int] = []
        self._acknowledges = False
        self._pulls = False

    def attach(self, chip: "RP2040") -> None:
        """Solder it to the board, before that starts."""
        from rp2040py.gpio_pin import GPIOPinState

        self._gpio: Any = chip.gpio
        self._low = GPIOPinState.LOW
        for pin in self._pins:
            chip.gpio[pin].set_input_value(True)
            chip.gpio[pin].add_listener(lambda *_: self._look())

    def _look(self) -> None:
        scl, sda = (self._gpio[pin].value != self._low for pin in self._pins)
        before, self._levels = self._levels, (scl, sda)
        if before == (scl, sda):
            return
        if before[0] and scl:  # SDA moves while SCL is high: start or stop
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
        if len(self._bits) == 9 and self._expects == "answer" and sda and not self._acknowledges:
            self._expects = None  # the reader has enough

    def _clock_falls(self) -> None:
        if self._expects is None:
            self._pull(False)
            return
        if len(self._bits) == 9:
            self._bits = []
            self._acknowledges = False
        if len(self._bits) == 8:
            self._byte_is_over()
        elif self._expects == "answer":
            self._send_bit()
        else:
            self._pull(False)

    def _byte_is_over(self) -> None:
        byte = sum(bit << (7 - at) for at, bit in enumerate(self._bits))
        if self._expects == "answer":
            self._pull(False)  # the reader acknowledges
            self._pointer = (self._pointer + 1) & 0xFF
            return
        if self._expects == "address":
            if byte >> 1 != self._address:
                self._expects = None
                return
            self._expects = "answer" if byte & _READ else "pointer"
        elif self._expects == "pointer":
            self._pointer, self._expects = byte, "data"
        else:
            self._registers[self._pointer] = byte
            self._pointer = (self._pointer + 1) & 0xFF
        self._acknowledges = True
        self._pull(True)

    def _send_bit(self) -> None:
        byte = self._registers.get(self._pointer, 0)
        self._pull(not byte >> (7 - len(self._bits)) & 1)

    def _pull(self, low: bool) -> None:
        if low != self._pulls:
            self._pulls = low
            self._gpio[self._pins[1]].set_input_value(not low)


def parse(text: str) -> RegisterDevice:
    """ "5:4:0x76:0xd0=0x60" -> a device at 0x76 on SCL 5, SDA 4, whose register 0xD0 says 0x60."""
    scl, sda, address, registers = text.split(":")
    pairs = (one.split("=") for one in registers.split(",") if one)
    return RegisterDevice(
        int(scl), int(sda), int(address, 0), {int(at, 0): int(byte, 0) for at, byte in pairs}
    )
