"""What a fleet does to its broker when all of it comes back at once, on a virtual clock.

Each node of the simulation runs the firmware's own link and recovery, or its grid if it sleeps;
beside them stand other laws, for comparison. `python -m scale.storm_page` plays all, and writes
its part of docs/scale.md with the picture.
"""

import heapq
import random
import sys
from binascii import crc32
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Protocol

from fieldpost import umqtt
from fieldpost.paths import CPYTHON_SHIMS, LIB, make_firmware_importable

ECONNREFUSED, ETIMEDOUT = 111, 110
RETRY = {"base_s": 1, "cap_s": 300, "stable_s": 60, "radio_s": 900, "reset_s": 3600}
_TIMEOUT_MS = 10_000
# When a board's TCP (lwIP, as ESP-IDF sets it) repeats a SYN that had no answer.
_SYN_AGAIN_MS = (1500, 4500)
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
# How soon after the broker's end its clients know, and how long a node takes to boot and join.
_NOTICED_MS, _JOIN_MS = (0, 50), (2000, 6000)


@dataclass(frozen=True)
class Broker:
    """takes_per_s: connections. backlog: that may wait for their turn; more of them are refused,
    or, if `silent`, not answered at all. away_s: at the beginning it refuses all, and is not
    there yet."""

    takes_per_s: int
    backlog: int = 128
    silent: bool = False
    away_s: float = 0


@dataclass(frozen=True)
class Storm:
    """What happened. dials: connections begun. arrivals: what reached the broker in each second,
    repeated SYNs among it. delivered_s: of each node, sorted."""

    nodes: int
    dials: int
    arrivals: list[int]
    delivered_s: list[float]


class Node(Protocol):
    """One of the fleet. done: it has delivered, and is of no more interest."""

    done: bool

    def step(self, now_ms: int, outcome: int | None) -> int | None:
        """Milliseconds until the next step, or None: it dials now.

        outcome: of the dial before: 0, an errno, or None if there was none.
        """
        ...


class AlwaysOn:
    """The firmware's link with its recovery, on a station and a session that are stubs.

    up_ms: how long its session had lasted when it broke; 0: it has just started, with no session.
    """

    def __init__(self, rng: random.Random, up_ms: int) -> None:
        from firmware.net.link import Link

        # Its own time begins with its session.
        self._clock = SimpleNamespace(now_ms=-up_ms)
        self._clock.uptime_ms = lambda: self._clock.now_ms + up_ms
        self._outcome: int | None = 0 if up_ms else None
        session = SimpleNamespace(open=self._open, poll=lambda: None, flush=lambda: None)
        session.due_ms = lambda: _DAY_MS
        session.abandon = lambda: None
        session.early_in_vain = False
        # It has nothing to be careful of: this broker closes on no packet.
        session.careful = SimpleNamespace(
            ended=lambda *_: None, decided=False, settled=lambda: None
        )
        self._session = session
        station = SimpleNamespace(
            start=lambda: None,
            step=lambda: True,
            is_up=lambda: True,
            leave=lambda: None,
            power_cycle=lambda: None,
        )
        self._link = Link(
            station, session, self._clock, RETRY, lambda: rng.getrandbits(32), lambda _: None
        )
        self._user = SimpleNamespace(
            connect=None,
            opened=lambda: None,
            closed=lambda: None,
            work=lambda: _DAY_MS,
            may_restart=lambda: False,
        )
        self.done = False
        if up_ms:
            self._link.step(self._user)
            session.poll = self._break

    def step(self, now_ms: int, outcome: int | None) -> int | None:
        self._clock.now_ms = now_ms
        self._outcome = outcome
        try:
            due_ms = self._link.step(self._user)
        except _Dials:
            return None
        self.done = self._link.is_up
        return due_ms

    def _break(self) -> None:
        self._session.poll = lambda: None
        raise OSError(104)

    def _open(self, _: object) -> None:
        if self._outcome is None:
            raise _Dials
        outcome, self._outcome = self._outcome, None
        if outcome:
            raise OSError(outcome)


class _Dials(BaseException):
    """A node is about to open a connection. No `except` of its own takes it."""


class Law:
    """A node with another law: its pause is `pause_ms(limit_ms)`, of a limit that doubles."""

    def __init__(self, pause_ms: Callable[[int], int], up_ms: int) -> None:
        self._pause_ms = pause_ms
        self._limit_ms = RETRY["base_s"] * 1000
        self._dials = not up_ms
        self.done = False

    def step(self, now_ms: int, outcome: int | None) -> int | None:
        if self._dials and outcome is None:
            return None
        self.done = outcome == 0
        self._dials = True
        limit_ms = self._limit_ms
        self._limit_ms = min(limit_ms * 2, RETRY["cap_s"] * 1000)
        return self._pause_ms(limit_ms)


class Asleep:
    """A node that sleeps, on the firmware's grid: each wake joins and dials once.

    first_ms: when its first wake is due.
    """

    def __init__(self, rng: random.Random, sample_ms: int, first_ms: int) -> None:
        from firmware.duty_cycle.grid import Grid

        self._grid = Grid(sample_ms, 1, RETRY["cap_s"] * 1000, first_ms)
        self._grid.begin(False, 1)
        self._rng = rng
        self._is_joined = False
        self.done = False

    def step(self, now_ms: int, outcome: int | None) -> int | None:
        grid = self._grid
        if outcome == 0:
            self.done = True
            return 0
        if outcome:
            grid.not_delivered(now_ms)
        elif self._is_joined:
            return None
        elif grid.may_try(now_ms):
            self._is_joined = True
            return self._rng.randint(*_JOIN_MS)
        self._is_joined = False
        return int(grid.end(now_ms))


def prepare() -> None:
    """Let this process import the firmware, and take what a board does for its heap out of it."""
    make_firmware_importable()
    for folder in (str(LIB), str(umqtt.provide().parents[1]), str(CPYTHON_SHIMS)):
        if folder not in sys.path:
            sys.path.append(folder)
    from firmware.net import link, recovery

    quiet = SimpleNamespace(collect=lambda: 0)
    link.gc = recovery.gc = quiet  # type: ignore[attr-defined]


def always_on(law: str, nodes: int, up_ms: int, broker: Broker, seed: int = 1) -> Storm:
    """All lose a session that lasted `up_ms` in one moment; 0: they all start in one."""
    rng = random.Random(f"storm {seed}")
    made = [LAWS[law](random.Random(rng.getrandbits(64)), up_ms) for _ in range(nodes)]
    first_ms = _NOTICED_MS if up_ms else _JOIN_MS
    return play(made, [rng.randint(*first_ms) for _ in made], broker)


def asleep(nodes: int, sample_s: int, phases: bool, broker: Broker, seed: int = 1) -> Storm:
    """All began in one moment, an interval ago, and find the broker away at first."""
    rng = random.Random(f"storm {seed}")
    sample_ms = sample_s * 1000
    made, starts_ms = [], []
    for number in range(nodes):
        ahead_ms = sample_ms * crc32(b"node-%d" % number) >> 32 if phases else 0
        starts_ms.append(sample_ms - ahead_ms)
        made.append(Asleep(random.Random(rng.getrandbits(64)), sample_ms, starts_ms[-1]))
    return play(made, starts_ms, broker)


def _law(pause_ms: Callable[[random.Random, int], int]) -> Callable[[random.Random, int], Node]:
    return lambda rng, up_ms: Law(lambda limit_ms: pause_ms(rng, limit_ms), up_ms)


# By name: what makes a node of it. The last but one is the firmware's as it was before.
LAWS: dict[str, Callable[[random.Random, int], Node]] = {
    "no jitter": _law(lambda _, limit_ms: limit_ms),
    "equal jitter": _law(lambda rng, limit_ms: rng.randint(limit_ms // 2, limit_ms)),
    "full jitter": _law(lambda rng, limit_ms: rng.randint(0, limit_ms)),
    "Fieldpost": AlwaysOn,
}


def play(nodes: Iterable[Node], starts_ms: Iterable[int], broker: Broker) -> Storm:
    """Let all nodes come back, each from its own moment on, until all have delivered, or an hour
    is over."""
    fleet = list(nodes)
    # (ms, node, outcome): what a node hears then; the last is of a SYN: how many came before.
    events: list[tuple[int, int, int | None, int]] = []
    for number, start_ms in enumerate(starts_ms):
        events.append((start_ms, number, None, -1))
    heapq.heapify(events)
    arrivals: Counter[int] = Counter()
    delivered: list[float] = []
    began_ms = [0] * len(fleet)
    free_ms = 0.0
    dials = 0
    while events and len(delivered) < len(fleet):
        now_ms, number, outcome, syn = heapq.heappop(events)
        if now_ms > _HOUR_MS:
            break
        if syn < 0:
            node = fleet[number]
            due_ms = node.step(now_ms, outcome)
            if node.done:
                delivered.append(now_ms / 1000)
                continue
            if due_ms is not None:
                heapq.heappush(events, (now_ms + due_ms, number, None, -1))
                continue
            began_ms[number] = now_ms
            dials += 1
            syn = 0
        arrivals[now_ms // 1000] += 1
        free_ms = max(free_ms, now_ms)
        if now_ms < broker.away_s * 1000:
            heapq.heappush(events, (now_ms + 1, number, ECONNREFUSED, -1))
        elif (free_ms - now_ms) * broker.takes_per_s < broker.backlog * 1000:
            free_ms += 1000 / broker.takes_per_s
            heapq.heappush(events, (int(free_ms) + 1, number, 0, -1))
        elif not broker.silent:
            heapq.heappush(events, (now_ms + 1, number, ECONNREFUSED, -1))
        elif syn < len(_SYN_AGAIN_MS):
            again_ms = began_ms[number] + _SYN_AGAIN_MS[syn]
            heapq.heappush(events, (again_ms, number, None, syn + 1))
        else:
            heapq.heappush(events, (began_ms[number] + _TIMEOUT_MS, number, ETIMEDOUT, -1))
    by_second = [arrivals[second] for second in range(max(arrivals, default=0) + 1)]
    return Storm(len(fleet), dials, by_second, sorted(delivered))
