"""The board of one node of a swarm: what `firmware/board` promises, and no more hardware."""

import random
from typing import Any, NoReturn

from fieldpost.swarm.port import Select, Sockets, Time
from firmware.board import unix


class Restarted(BaseException):
    """The firmware has restarted its board. No `except Exception` of its own takes it."""


class SwarmBoard:
    """A Pico W's ways: it keeps its RAM while it sleeps. This machine's network is its Wi-Fi."""

    family = "unix"
    watchdog_s = 0
    watchdog_max_ms = None
    retained_bytes = 0
    sleeps_in_waits = False
    short_sleeps = 0

    def __init__(
        self, time: Time, sockets: Sockets, select: Select, dice: random.Random, cause: str
    ) -> None:
        self.time = time
        self.socket = sockets
        self.select = select
        self.radio = unix.Radio()
        self._dice = dice
        self._cause = cause

    def reset_cause(self) -> str:
        return self._cause

    def uid(self) -> str:
        return "0"

    def version(self) -> str:
        return "swarm"

    def random_u32(self) -> int:
        return self._dice.getrandbits(32)

    def clock_is_set(self) -> bool:
        return True

    def set_unix_s(self, unix_s: int) -> None:
        """The clock is this machine's, and right."""

    def supply_mv(self) -> None:
        """Nothing is measured."""

    def die_temperature_c(self) -> None:
        """Nothing is measured."""

    def led(self, on: bool) -> None:
        """There is none."""

    def feed(self) -> None:
        """There is no watchdog."""

    def hold_watchdog(self, limit_ms: int) -> None:
        """There is no watchdog."""

    def throttle(self, on: bool) -> None:
        """Its clock is always the same."""

    def light_sleep(self, ms: int, watch: Any = None) -> None:
        self.time.sleep_ms(ms)

    def restart(self) -> NoReturn:
        raise Restarted
