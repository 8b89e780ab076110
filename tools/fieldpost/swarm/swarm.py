"""Many nodes at one broker for a while: what they accepted, and how they went about it."""

import asyncio
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fieldpost import umqtt
from fieldpost.errors import CommandError, Usage
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.paths import CPYTHON_SHIMS, LIB, make_firmware_importable

if TYPE_CHECKING:
    from fieldpost.swarm.hub import Hub
    from fieldpost.swarm.ledger import Ledger

_LOOK_S = 0.5
_GOODBYE_S = 0.2
_SPARE_DESCRIPTORS = 64
_NAMES = 5


class NotReached(CommandError):
    """Not one node has come to a session."""

    code = "broker_away"


@dataclass(frozen=True)
class Wish:
    """What a swarm is to be.

    sleeping: which part of the nodes have a duty cycle, from 0 to 1. spread_s: within which the
    nodes start. drain_s: how long those whose readings wait may go on after `duration_s`.
    login: user and password of each, in which {node} stands for its name; None for none.
    """

    broker: BrokerAddress
    nodes: int
    sample_s: float = 60.0
    deliver_every: int = 1
    sleeping: float = 0.0
    duration_s: float = 300.0
    spread_s: float = 60.0
    drain_s: float = 120.0
    seed: int = 1
    prefix: str = "swarm"
    base: str = "fieldpost"
    login: tuple[str, str] | None = None


@dataclass
class Report:
    """Counts over all nodes. waiting: accepted within `duration_s`, and not acknowledged when the
    swarm ended. under_way: likewise of the moments after it, while others were waited for.

    dials: connections that were begun. dials_per_s: at most, within any second. up: nodes with a
    session at the end of `duration_s` (of one that sleeps: it has delivered). seconds: until the
    last was acknowledged. reconnects: sessions that ended unasked. causes: of those, and of tries
    that failed. said: what went wrong on their consoles, the most frequent lines. began: Unix
    seconds. dialled: dials in each second since then.
    """

    nodes: int
    seconds: float
    accepted: int
    waiting: int
    under_way: int
    dropped: int
    repeats: int
    dials: int
    dials_per_s: int
    reconnects: int
    causes: dict[str, int]
    boots: int
    up: int
    said: list[str]
    began: float
    dialled: list[int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Swarm:
    """`await play()` is its whole life. `nodes`: of swarm/node.py, with what each accepted."""

    def __init__(
        self,
        wish: Wish,
        on_look: Callable[["Swarm"], None] | None = None,
        ledger: "Ledger | None" = None,
    ) -> None:
        _prepare()
        from fieldpost.swarm.node import SwarmNode

        self.wish = wish
        self.nodes: list[SwarmNode] = []
        self.dialled: Counter[int] = Counter()
        self.said: Counter[str] = Counter()
        self.seconds = 0.0
        self._make_node = SwarmNode
        self._hub: Hub | None = None
        self._on_look = on_look or (lambda _: None)
        self._ledger = ledger
        self._is_over = False
        self._began = time.time()

    def end(self) -> None:
        """Let its nodes live no longer than until now: what waits is waited for, as ever."""
        self._is_over = True

    async def play(self) -> Report:
        """Start the nodes, let them live, wait for what waits, and end them.

        Raises CommandError if they cannot be had, or none of them came through.
        """
        from fieldpost.swarm.hub import Hub
        from fieldpost.swarm.node import Stopped
        from fieldpost.swarm.port import Select, Sockets, Time

        wish = self.wish
        _allow_descriptors(wish.nodes)
        loop = asyncio.get_running_loop()
        hub = self._hub = Hub()
        start_s = loop.time()
        self._began = time.time()
        parts = Time(hub), Sockets(lambda: self._dial(loop.time() - start_s)), Select(hub)
        dice = random.Random(f"swarm {wish.seed}")
        lives = []
        for settings in list(_settings(wish)):
            own = random.Random(dice.getrandbits(64))
            node = self._make_node(settings, parts, own, self._say, self._ledger)
            self.nodes.append(node)
            lives.append(hub.start(node.live, own.uniform(0, wish.spread_s)))
        await self._until(start_s + wish.duration_s, lambda: self._is_over)
        up = sum(node.is_up or (bool(node.accepted) and not node.waiting) for node in self.nodes)
        if not any(node.accepted and node.waiting < len(node.accepted) for node in self.nodes):
            await self._end(hub, lives, Stopped)
            raise NotReached(
                f"none of {wish.nodes} nodes delivered a reading to {wish.broker} within "
                f"{wish.duration_s:g} s: is a broker there, and does it let them in?"
            )
        # They go on measuring meanwhile, so of a large swarm there is always one with a reading
        # that waits: that is not what is waited for.
        due = [len(node.accepted) for node in self.nodes]
        await self._until(loop.time() + wish.drain_s, lambda: not self._waiting(due))
        self.seconds = loop.time() - start_s
        report = self._report(up, self._waiting(due))
        await self._end(hub, lives, Stopped)
        return report

    # Inside ------------------------------------------------------------------------------------

    def _waiting(self, due: list[int]) -> int:
        """Of the first readings of each node, so many: those that nobody has acknowledged."""
        gone = [len(node.accepted) - node.waiting for node in self.nodes]
        return sum(max(first - done, 0) for first, done in zip(due, gone, strict=True))

    async def _until(self, end_s: float, done: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while (left_s := end_s - loop.time()) > 0 and not done():
            self._on_look(self)
            await asyncio.sleep(min(_LOOK_S, left_s))
            if self._hub and self._hub.failed:
                raise self._hub.failed[0]

    async def _end(self, hub: "Hub", lives: list[Any], stopped: type[BaseException]) -> None:
        for life in lives:
            hub.end(life, stopped())
        # Each says goodbye, which may have to wait for room in a socket.
        await asyncio.sleep(_GOODBYE_S)

    def _dial(self, at_s: float) -> None:
        self.dialled[int(at_s)] += 1

    def _say(self, name: str, line: str) -> None:
        self.said[line.split(maxsplit=1)[-1]] += 1

    def _report(self, up: int, waiting: int) -> Report:
        counts: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        for node in self.nodes:
            counts.update(node.counts())
            causes.update(node.causes)
        return Report(
            nodes=len(self.nodes),
            seconds=round(self.seconds, 1),
            accepted=sum(len(node.accepted) for node in self.nodes),
            waiting=waiting,
            under_way=sum(node.waiting for node in self.nodes) - waiting,
            dropped=counts["dropped"],
            repeats=counts["repeats"],
            dials=sum(self.dialled.values()),
            dials_per_s=max(self.dialled.values(), default=0),
            reconnects=counts["reconnects"],
            causes=dict(causes.most_common()),
            boots=sum(node.boots for node in self.nodes),
            up=up,
            said=[f"{count} times: {line}" for line, count in self.said.most_common(_NAMES)],
            began=round(self._began, 3),
            dialled=[self.dialled[second] for second in range(max(self.dialled, default=-1) + 1)],
        )


def configuration(wish: Wish, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config.json, secrets.json) of one node, as any board would take them."""
    name = f"{wish.prefix}-{number:0{len(str(wish.nodes - 1))}}"
    config: dict[str, Any] = {
        "node": name,
        "sample_s": wish.sample_s,
        "mqtt": {"host": wish.broker.host, "port": wish.broker.port, "base": wish.base},
        "ntp": {"host": None},
        "led": None,
        "sensors": [{"type": "simulated", "seed": number}],
    }
    if number < round(wish.nodes * wish.sleeping):
        config |= {"mode": "duty_cycle", "deliver_every": wish.deliver_every}
    secrets: dict[str, Any] = {"wifi": [{"ssid": "swarm", "password": "eight characters"}]}
    if wish.login:
        user, password = (text.replace("{node}", name) for text in wish.login)
        secrets["mqtt"] = {"user": user, "password": password}
    return config, secrets


def _settings(wish: Wish) -> Iterator[dict[str, Any]]:
    """Of each node, checked by the firmware's own schema. Raises Usage for what it refuses."""
    from firmware.config.check import check

    for number in range(wish.nodes):
        settings, errors = check(*configuration(wish, number))
        if errors or settings is None:
            raise Usage(f"a node of this swarm would refuse its configuration: {errors[0]}")
        yield settings


def _allow_descriptors(nodes: int) -> None:
    """Each node has a socket."""
    needed = nodes + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Usage(
            f"{nodes} nodes need {needed} open files, and this account may have {hard}: raise it "
            "(`ulimit -Hn`, or LimitNOFILE= of a systemd unit), or take fewer nodes"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _prepare() -> None:
    """Let this process import the firmware, and take what would stop all nodes out of it."""
    make_firmware_importable()
    for folder in (str(LIB), str(umqtt.provide().parents[1]), str(CPYTHON_SHIMS)):
        if folder not in sys.path:
            sys.path.append(folder)
    from firmware.net import link, recovery, tls
    from firmware.remote import health

    # Each node collects its own garbage, on a board of its own: here it is everybody's.
    quiet = SimpleNamespace(collect=lambda: 0)
    for module in (link, recovery, tls, health):
        if hasattr(module, "gc"):
            module.gc = quiet  # type: ignore[attr-defined]
