"""What the demonstration knows: from the node's console, and from the broker."""

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fieldpost.messages.account import Account
from fieldpost.messages.payload import number, read

TOPIC = "fieldpost/demo"
_READY = re.compile(r"ready: .*\bboot (\d+)$")
_STORED = re.compile(r"sample (\d+) stored(?:, (\d+) waiting)?$")
_UPTIME = re.compile(r"^\s*\d+\.\d (.*)$")


@dataclass(frozen=True)
class Arrival:
    """A reading as it arrived, `late_s` after it was taken (None: it does not say when).

    `waited`: it was taken while there was no broker. `new`: it had not arrived before.
    """

    seq: int
    ts: float | None
    fields: dict[str, Any]
    late_s: float | None
    waited: bool
    new: bool


@dataclass
class DemoState:
    """Changed by one thread only: events come to it through a queue."""

    broker_name: str
    broker_url: str
    node_name: str
    note: str
    step: int = 0
    headline: str = "Starting"
    broker_up: bool = True
    status: str = "starting"
    health: dict[str, Any] = field(default_factory=dict)
    waiting: int = 0
    deepest: int = 0
    boot: int | None = None
    console: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=200))
    account: Account = field(default_factory=Account)
    taken_in_outage: set[tuple[int, int]] = field(default_factory=set)
    deadline: float | None = None
    # Messages that should not have been there, such as a reading that is no JSON.
    strange: list[str] = field(default_factory=list)

    def node_said(self, line: str) -> None:
        """A line of the node's console."""
        self.console.append(line)
        found = _UPTIME.match(line)
        text = found[1] if found else line
        if ready := _READY.match(text):
            self.boot = int(ready[1])
        elif (stored := _STORED.match(text)) and self.boot is not None:
            key = (self.boot, int(stored[1]))
            self.account.take(key)
            # The reading may have come through the broker before this line through its pipe.
            self.waiting = int(stored[2] or 1) if self.account.waiting else 0
            self.deepest = max(self.deepest, self.waiting)
            if not self.broker_up:
                self.taken_in_outage.add(key)

    def broker_sent(self, topic: str, payload: bytes) -> Arrival | None:
        """A message from the broker; the reading, if it is one."""
        try:
            content = read(payload)
            if topic == f"{TOPIC}/telemetry":
                return self._reading(content)
        except ValueError as error:
            self.strange.append(f"{topic}: {error}")
            return None
        if topic == f"{TOPIC}/status":
            self.status = str(content.get("state"))
        elif topic == f"{TOPIC}/health":
            self.health = content
        return None

    def _reading(self, content: dict[str, Any]) -> Arrival:
        new = self.account.deliver(content)
        if new and not self.account.waiting:
            self.waiting = 0
        ts = number(content.get("ts"), 0, 2**33)
        arrival = Arrival(
            seq=content["seq"],
            ts=ts,
            fields={k: v for k, v in content.items() if k not in ("boot", "seq", "ts", "age_s")},
            late_s=None if ts is None else max(0.0, time.time() - ts),
            waited=(content["boot"], content["seq"]) in self.taken_in_outage,
            new=new,
        )
        self.arrivals.append(arrival)
        return arrival

    @property
    def recovered(self) -> set[tuple[int, int]]:
        """Readings taken while there was no broker that arrived afterwards."""
        return self.taken_in_outage & self.account.delivered.keys()
