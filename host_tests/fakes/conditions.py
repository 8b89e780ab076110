"""What a connection or a name meets on the network: the faults, as data."""

from dataclasses import dataclass
from typing import NamedTuple


class Cut(NamedTuple):
    """After byte `at` of one direction: `how` is "reset" or "close" (both ends see it),
    "silence" (this direction delivers nothing more) or "dead" (neither does)."""

    at: int
    how: str


@dataclass
class Conditions:
    """What one connection meets.

    `accept`: "ok", "refuse", "black-hole" (SYN unanswered), "mute" (accepted, never answered).
    `stalls`: pairs (byte of the way up, ms): the send window closes there for so long.
    `split`: chance that a segment arrives in two pieces; `partial`: that a non-blocking write
    takes only some of what it was given, or nothing.
    """

    latency_ms: float = 1.0
    jitter_ms: float = 0.0
    accept: str = "ok"
    up: Cut | None = None
    down: Cut | None = None
    stalls: tuple[tuple[int, float], ...] = ()
    split: float = 0.0
    partial: float = 0.0


@dataclass
class NameFault:
    """A name that fails (`error`, after `stall_ms`) or, with error None, only answers late."""

    error: int | None = -2
    stall_ms: float = 0.0
