"""What is stored, as it goes to a writer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int, int]
# The columns of a reading, in the order of its `columns`.
COLUMNS = "node, boot, seq, ts, age_s, received, fields, payload"
# A reading that is sent again has the time that it had. Only one that was taken before its node
# knew the time may come with another: it is reckoned back at each delivery, from two clocks that
# count whole seconds. If they have drifted apart besides, one reading is kept twice; with more
# room here, one of a node that was started again within it would be taken for a repeat.
SAME_TIME_S = 2
# A column of 8 bytes holds no more.
INTEGER_MAX = 2**63 - 1


def in_order(values: Mapping[str, Any]) -> str:
    """As JSON with its keys in order, so that equal values have equal texts."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def in_order_again(text: str) -> str:
    """The same of a text that a database gave back, which may have a form of its own."""
    return in_order(json.loads(text))


def far_apart(ts: int | None, other: int | None) -> bool:
    """Whether two known times, in Unix seconds, are those of two readings."""
    return ts is not None and other is not None and abs(ts - other) > SAME_TIME_S


@dataclass(frozen=True)
class Reading:
    """One reading of a node.

    ts: Unix seconds of the node's clock, None while it did not know them. age_s: of a reading
    without `ts`, how old it was at least when it was sent. received: Unix seconds of this
    machine's clock. payload: the message as it came. values: what was measured. fields: the same
    as JSON with its keys in order, so that equal readings have equal texts.
    """

    node: str
    boot: int
    seq: int
    ts: int | None
    age_s: int | None
    received: float
    payload: bytes
    fields: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> Key:
        """By it a reading is stored once."""
        return self.node, self.boot, self.seq

    def is_other(self, fields: str, ts: int | None) -> bool:
        """Whether it is another reading than the one under its key, which has these."""
        return self.fields != fields or far_apart(self.ts, ts)

    @property
    def columns(self) -> tuple[Any, ...]:
        """What a store takes of it, as COLUMNS names it."""
        return (
            self.node,
            self.boot,
            self.seq,
            self.ts,
            self.age_s,
            self.received,
            self.fields,
            self.payload,
        )


@dataclass(frozen=True)
class Event:
    """kind: status, health, result or update. body: the message as JSON with its keys in order,
    None if it was empty."""

    node: str
    kind: str
    received: float
    body: str | None


@dataclass(frozen=True)
class Rejected:
    """What came under a topic of a node's and can't be read. payload: its beginning. size: of the
    whole message, in bytes. why: in words."""

    topic: str
    received: float
    payload: bytes
    size: int
    why: str


Row = Reading | Event | Rejected


@dataclass
class Written:
    """What became of rows: counts. repeated: readings that were there already. filled: of those,
    how many brought the time that was not known. conflicts: another reading under a key that is
    taken. known_events: events that were there already. told: a sentence about each conflict."""

    stored: int = 0
    repeated: int = 0
    filled: int = 0
    conflicts: int = 0
    events: int = 0
    known_events: int = 0
    rejected: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, other: "Written") -> None:
        """Count those of `other`, too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def counts(self) -> dict[str, Any]:
        """Without the sentences."""
        return {name: value for name, value in vars(self).items() if name != "told"}
