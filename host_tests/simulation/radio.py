"""A board's Wi-Fi in front of a fake access point, with the habits of the real ones.

What ports were seen to do: a radio that is idle for a moment while it joins, 'wrong password'
with the right one, an association without an address, an access point that is gone while the
radio shows the old address, and the old state shown for a moment after leaving.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from fakes.net import Stack
from fakes.world import Event, World

_SCAN_MS = 2500
_IDLE_AT_FIRST_MS = 60
_RAW = {"off": 0, "idle": 1000, "joining": 1001, "joined": 1001, "up": 1010, "no-ap": 201}


@dataclass
class AccessPoint:
    """What answers the radio of one node. `slow_ms`: added to every association."""

    present: bool = True
    right_password: bool = True
    leases: bool = True
    slow_ms: int = 0


class SimulatedRadio:
    """The `Radio` of a board. Switching `stack.radio` is its doing alone."""

    def __init__(
        self, world: World, stack: Stack, access_point: AccessPoint, rng: random.Random
    ) -> None:
        self._world = world
        self._stack = stack
        self._access_point = access_point
        self._rng = rng
        self._state = "off"
        self._joined_us = 0
        self._shows_up_until_us = 0
        self._deaf = False  # the association is gone, and nothing says so
        self._next: Event | None = None
        self.joins = 0

    # -- what the firmware calls ---------------------------------------------------------------

    def on(self, hostname: object = None, country: object = None, power: object = None) -> None:
        if self._state == "off":
            self._state = "idle"

    def off(self) -> None:
        self._end("off")
        self._shows_up_until_us = 0

    def join(self, *_network: object, static: object = None) -> None:
        self._end("joining")
        self.joins += 1
        self._joined_us = self._world.now_us
        delay_ms = self._rng.randint(80, 900) + self._access_point.slow_ms
        self._after_ms(delay_ms, self._associate)

    def leave(self) -> None:
        if self._state == "off":
            return
        if self._state == "up":
            lag_us = self._rng.choice((0, 0, 100_000, 300_000))
            self._shows_up_until_us = self._world.now_us + lag_us
        self._end("idle")

    def state(self) -> str:
        state = self._state
        if state == "up":
            return state
        now_us = self._world.now_us
        if now_us < self._shows_up_until_us:
            return "up"
        if state == "joining" and now_us - self._joined_us < _IDLE_AT_FIRST_MS * 1000:
            return "idle"
        return state

    def status(self) -> int:
        return _RAW.get(self.state(), 202)

    def address(self) -> str:
        return "10.0.1.7" if self.state() == "up" else ""

    def rssi(self) -> int | None:
        return -67 if self._state == "up" else None

    def bssid(self) -> bytes | None:
        return b"\x02\0\0\0\0\1" if self._state == "up" else None

    def channel(self) -> int | None:
        return 6 if self._state == "up" else None

    def lease(self) -> tuple[str, str, str, str] | None:
        return ("10.0.1.7", "255.255.255.0", "10.0.1.1", "10.0.1.1") if self.address() else None

    # -- what the world does to it -------------------------------------------------------------

    def lost(self, silently: bool) -> None:
        """The access point no longer hears it; `silently`: and the radio does not notice."""
        if self._state not in ("joined", "up"):
            return
        self._stack.radio(False, drop=not silently)
        if silently and self._state == "up":
            self._deaf = True
        else:
            self._end("failed" if self._rng.random() < 0.5 else "idle")

    def back(self) -> None:
        """The access point is there again: half of the stale associations come back with it."""
        if self._deaf and self._rng.random() < 0.5:
            self._deaf = False
            self._stack.radio(True)

    def power_off(self) -> None:
        self._end("off")

    # -- inside --------------------------------------------------------------------------------

    def _end(self, state: str) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._deaf = False
        self._state = state
        self._stack.radio(False, drop=True)

    def _after_ms(
        self, delay_ms: float, action: Callable[..., object], *arguments: object
    ) -> None:
        self._next = self._world.after_ms(delay_ms, action, *arguments)

    def _associate(self) -> None:
        if not self._access_point.present:
            self._after_ms(_SCAN_MS, self._refused, "no-ap")
        elif not self._access_point.right_password or self._rng.random() < 0.03:
            self._after_ms(self._rng.randint(300, 3000), self._refused, "wrong-password")
        else:
            self._state = "joined"
            self._after_ms(self._rng.randint(30, 1500), self._lease)

    def _refused(self, state: str) -> None:
        self._next = None
        self._state = state

    def _lease(self) -> None:
        self._next = None
        if self._access_point.leases:
            self._state = "up"
            self._stack.radio(True)
