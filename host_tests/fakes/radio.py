"""A radio as the station sees it (the contract of `firmware/board/*.Radio`), for simulations.

`access_points` maps an SSID in range to its password; take one out and the network vanishes, as
far as the radio shows it: with `stale` it goes on claiming to be up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FakeRadio:
    """Joining takes `join_ms`. `on_change(up)` is told when the network comes or goes."""

    def __init__(
        self,
        time: Any,
        access_points: dict[str, str] | None = None,
        join_ms: int = 900,
        on_change: Callable[[bool], None] = lambda up: None,
    ) -> None:
        self.access_points = {"net": "password"} if access_points is None else access_points
        self.join_ms = join_ms
        self.dhcp_answers = True
        self.stale = False
        self.settings: dict[str, Any] = {}
        self.joins = 0
        self.power_cycles = 0
        self._time = time
        self._on_change = on_change
        self._on = False
        self._ssid: str | None = None
        self._password = ""
        self._joined_at = 0
        self._was_up = False

    def on(self, **settings: Any) -> None:
        self.power_cycles += not self._on
        self._on = True
        self.settings = settings

    def off(self) -> None:
        self.leave()
        self._on = False

    def join(
        self,
        ssid: str,
        password: str,
        bssid: bytes | None = None,
        channel: int | None = None,
        static: tuple[str, ...] | None = None,
    ) -> None:
        self.leave()
        self._on = True
        self.joins += 1
        self._ssid, self._password = ssid, password
        self._joined_at = self._time.ticks_ms()

    def leave(self) -> None:
        self._ssid = None
        self._tell(False)

    def state(self) -> str:
        state = self._state()
        self._tell(state == "up" and self._ssid in self.access_points)
        return state

    def _state(self) -> str:
        if not self._on:
            return "off"
        if self._ssid is None:
            return "idle"
        if self._ssid not in self.access_points and not (self.stale and self._was_up):
            return "no-ap" if self._ready() else "joining"
        if not self._ready():
            return "joining"
        if self._ssid in self.access_points and self.access_points[self._ssid] != self._password:
            return "wrong-password"
        return "up" if self.dhcp_answers else "joined"

    def _ready(self) -> bool:
        return self._time.ticks_diff(self._time.ticks_ms(), self._joined_at) >= self.join_ms

    def _tell(self, up: bool) -> None:
        if self.stale and self._was_up and not up and self._ssid is not None:
            return
        if up != self._was_up:
            self._was_up = up
            self._on_change(up)

    def status(self) -> int:
        return {"up": 3, "joined": 2, "joining": 1, "no-ap": -2, "wrong-password": -3}.get(
            self._state(), 0
        )

    def address(self) -> str:
        return "192.168.1.7" if self._state() == "up" else ""

    def lease(self) -> tuple[str, ...] | None:
        return ("192.168.1.7", "255.255.255.0", "192.168.1.1", "192.168.1.1")

    def rssi(self) -> int | None:
        return -61 if self._state() == "up" else None

    def bssid(self) -> bytes | None:
        return None

    def channel(self) -> int | None:
        return 6 if self._state() == "up" else None
