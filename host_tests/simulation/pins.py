"""A board's input pins: what the outside does to them, and what that does to a sleeping board."""

from emulated.pin import FakePin
from fakes.world import World


class Pins:
    """They outlast a boot; interrupts and what is armed for a deep sleep do not."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pins: dict[int, FakePin] = {}
        self._armed: list[tuple[int, int] | None] = []
        self._woken_by: int | None = None
        self._edges = 0

    def pin(self, number: int, pull: str | None = None) -> FakePin:
        """The pin, at its pull's level unless it was driven before."""
        return self._pins.setdefault(number, FakePin(int(pull == "up")))

    def drive(self, at_s: float, number: int, level: int) -> None:
        """From outside, at that time of the run."""
        self._world.at(int(at_s * 1e6), self._drive, number, level)

    def _drive(self, number: int, level: int) -> None:
        self._edges += self.pin(number).level != level
        self.pin(number).drive(level)

    def wait_for_edge(self, end_us: int) -> None:
        """A light sleep: until a pin moves, or the time is over."""
        edges = self._edges
        self._world.wait_until(end_us, lambda: self._edges != edges)

    # What firmware/board/esp32_wake_pins.py has.

    def arm(self, wanted: list[tuple[int, int] | None]) -> None:
        self._armed = wanted

    def woken_by(self) -> int | None:
        return self._woken_by

    # A deep sleep.

    def ends_sleep(self) -> bool:
        for index, one in enumerate(self._armed):
            if one is not None and self.pin(one[0]).level == one[1]:
                self._woken_by = index
                return True
        return False

    def begin_sleep(self) -> None:
        """The boot is over."""
        self._woken_by = None
        for pin in self._pins.values():
            pin.irq(None)

    def begin_boot(self) -> None:
        self._armed = []
