"""A `Board` for the firmware: one boot of a simulated machine."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from emulated.pin import FakePin
from fakes.tls import BoardTls
from fakes.world import Event
from simulation.endings import Restarted, Slept, Violation
from simulation.pins import Pins

if TYPE_CHECKING:
    from simulation.machine import Machine

WATCHDOG_MAX_MS = {"rp2": 8388}


class SimulatedBoard:
    """What `firmware/board` promises, on the world's time."""

    watchdog_s = 0

    def __init__(self, machine: "Machine", cause: str) -> None:
        self.family = machine.scenario.port
        self.watchdog_max_ms = WATCHDOG_MAX_MS.get(self.family)
        self.retained_bytes = 2048 if self.family == "esp32" else 0
        self.sleeps_in_waits = self.family == "rp2"
        self.short_sleeps = 0
        self.socket = machine.stack.socket
        self.select = machine.stack.select
        self.time = machine.time
        self.radio = machine.radio
        self.random_u32: Callable[[], int] = lambda: machine.rng.getrandbits(32)
        self.set_unix_s = machine.time.set_unix_s
        self._machine = machine
        self._cause = cause
        self._world = machine.world
        self._watchdog_us = 0
        self._fed_us = 0
        self._watch: Event | None = None

    def reset_cause(self) -> str:
        return self._cause

    def uid(self) -> str:
        return "0000000000000001"

    def tls_context(self, authority: bytes | None, own: Any = None) -> BoardTls:
        return BoardTls(self._world, authority is not None)

    def version(self) -> str:
        return f"simulated {self.family}"

    def led(self, on: bool) -> None:
        """There is none."""

    def start_watchdog(self, timeout_ms: int) -> int:
        if self.watchdog_max_ms:
            timeout_ms = min(timeout_ms, self.watchdog_max_ms)
        self._watchdog_us = timeout_ms * 1000
        self._fed_us = self._world.now_us
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._world.after_ms(timeout_ms, self._look)
        return timeout_ms

    def feed(self) -> None:
        self._fed_us = self._world.now_us

    def _look(self) -> None:
        due_us = self._fed_us + self._watchdog_us
        if due_us <= self._world.now_us:
            self._machine.bitten()
        else:
            self._watch = self._world.at(due_us, self._look)

    def power_off(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def restart(self) -> None:
        raise Restarted

    def retained(self) -> bytes:
        return self._machine.retained

    def retain(self, data: bytes) -> None:
        assert len(data) <= self.retained_bytes
        self._machine.retained = bytes(data)

    def deep_sleep(self, ms: int) -> None:
        self._machine.battery.sleeps()
        raise Slept(ms)

    def hold_watchdog(self, _limit_ms: int) -> None:
        """Its watchdog outlasts any look-up; `Machine` sees to that."""

    def throttle(self, on: bool) -> None:
        """Its clock is always the same, and is not to be touched while the radio runs."""
        if self.radio.state() != "off":
            raise Violation(f"{self._machine.name}: the CPU's clock changed with the radio on")

    def light_sleep(self, ms: int, watch: Any = None) -> None:
        self._machine.battery.sleeps()
        end_us = self._world.now_us + ms * 1000
        while self._world.now_us < end_us:
            self.feed()
            slice_us = self._watchdog_us // 2 or end_us
            self._machine.pins.wait_for_edge(min(end_us, self._world.now_us + slice_us))
            if watch and watch.stirred() and watch.changed():
                break
        self.feed()

    def pin(self, number: int, mode: str | None = None, pull: str | None = None) -> FakePin:
        return self._machine.pins.pin(number, pull)

    def waker(self) -> Pins:
        return self._machine.pins

    def supply_mv(self) -> int | None:
        return None if self.family == "esp32" else self._machine.battery.asked()

    def adc(self, _pin: int) -> Any:
        """The supply, through a divider of two equal resistors."""
        return SimpleNamespace(read_uv=lambda: self._machine.battery.mv * 500)

    def die_temperature_c(self) -> float | None:
        return self._machine.measure()

    def clock_is_set(self) -> bool:
        return self.time.gmtime()[0] >= 2024
