"""The firmware's link between a stub network and a stub session, on a fake clock."""

import itertools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fakes.clock import FakeTime
from firmware.clock import Clock
from firmware.net.link import Link
from firmware.net.wifi import JoinFailed

RETRY = {"base_s": 1, "cap_s": 300, "stable_s": 60, "radio_s": 900, "reset_s": 3600}


ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ENETDOWN = 104, 110, 111, 113, 100


class StubStation:
    """Wi-Fi as a test wants it: `state` is "up", "joining" or why it cannot join."""

    def __init__(self, state: str = "up") -> None:
        self.state = state
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def step(self) -> bool:
        if self.state == "joining":
            return False
        if self.state != "up":
            raise JoinFailed(self.state)
        return True

    def is_up(self) -> bool:
        return self.state == "up"

    def leave(self) -> None:
        self.calls.append("leave")

    def power_cycle(self) -> None:
        self.calls.append("power_cycle")


class StubSession:
    """`error`: what open raises, None to succeed; `broken`: what poll raises."""

    def __init__(self, clock: FakeTime) -> None:
        self.clock = clock
        self.error: BaseException | None = None
        self.broken: BaseException | None = None
        self.opened_ms: list[int] = []
        self.abandoned = self.closed = self.flushed = 0
        self.wire = SimpleNamespace(handshaking=True, sent_bytes=0)
        # What is known of the last connection: nothing that it ended at.
        self.early_in_vain = False
        self.careful: Any = None
        self.lw_topic = None
        self.others: list[int] = []
        self.ping_ms = None
        self.in_flight = SimpleNamespace(sent=0)
        self.early_packets: list[Any] = []

    def open(self, publish_early: Callable[[], None] | None = None) -> bool:
        self.opened_ms.append(self.clock.elapsed_ms)
        self.early_packets.append(publish_early)
        if self.error:
            raise self.error
        return False

    def early_state(self) -> tuple[int, int, int]:
        self.early_in_vain = False
        return 1, 1, 0

    def poll(self) -> None:
        if self.broken:
            raise self.broken

    def flush(self) -> None:
        self.flushed += 1

    def due_ms(self) -> int:
        return 1000

    def abandon(self) -> None:
        self.abandoned += 1

    def close(self) -> None:
        self.closed += 1


class LinkUser:
    """Whose link it is: `downs` counts the sessions that ended or could not be had, `ups` those
    that were opened."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.downs = self.ups = 0
        self.work_ms = 5000
        self.restarts_ms: list[int] = []

    def connect(self) -> None:
        """It publishes nothing."""

    def opened(self) -> None:
        self.ups += 1

    def work(self) -> int:
        return self.work_ms

    def closed(self) -> None:
        self.downs += 1

    def may_restart(self) -> bool:
        return True

    def restart(self) -> None:
        self.restarts_ms.append(self._time.elapsed_ms)


class LinkBench:
    def __init__(self, seed: int = 1, security: Any = None, **retry: float) -> None:
        self.time = FakeTime((1 << 30) - 5000)
        self.station = StubStation()
        self.session = StubSession(self.time)
        self.lines: list[str] = []
        self.user = LinkUser(self.time)
        self.rng = random.Random(seed)
        self.link = Link(
            self.station,
            self.session,
            Clock(self.time),
            {**RETRY, **retry},
            lambda: self.rng.getrandbits(32),
            self.lines.append,
            security,
        )

    def step(self) -> int:
        return self.link.step(self.user)

    def run_s(self, duration_s: float) -> None:
        end_ms = self.time.elapsed_ms + duration_s * 1000
        while self.time.elapsed_ms < end_ms:
            before_ms = self.time.elapsed_ms
            due_ms = self.step()
            assert due_ms >= 0
            assert self.time.elapsed_ms == before_ms, "a step must not wait"
            self.time.advance_ms(min(max(due_ms, 1), end_ms - before_ms))

    def gaps_ms(self) -> list[int]:
        """Between one attempt to open a session and the next."""
        opened = self.session.opened_ms
        return [later - earlier for earlier, later in itertools.pairwise(opened)]
