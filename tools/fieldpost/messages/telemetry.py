"""A subscriber's side of the delivery contract: every reading once, in order, each gap named.

On the wire a reading comes at least once. Its key is (node, boot, seq): who stores by the key has
it exactly once. `seq` counts from 0 in each boot without gaps, so a number that is missing was
taken and has not arrived (yet), and one that never was is told from it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a message means for the account of its node."""

    NEW = "new"
    DUPLICATE = "duplicate"
    GAP = "gap"  # new, and numbers before it are missing
    LATE = "late"  # new, fills a gap: it came after a later one
    CONFLICT = "conflict"  # another reading under a key that was there already
    BOOT = "boot"  # new, the first of a boot
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Verdict:
    """node, boot, seq: None where the message does not tell. missing: the size of a gap."""

    kind: Kind
    node: str
    boot: int | None = None
    seq: int | None = None
    missing: int = 0
    text: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the reading is to be stored."""
        return self.kind in (Kind.NEW, Kind.GAP, Kind.LATE, Kind.BOOT)


@dataclass
class _Boot:
    first: int
    highest: int
    missing: set[int] = field(default_factory=set)
    # Fingerprints of the last readings: a resent one comes soon, and memory is bounded.
    seen: dict[int, int] = field(default_factory=dict)


# Readings remembered for each boot: far more than a node sends again (its outbox's one segment).
_SEEN_MAX = 4096
_BOOTS_MAX = 64
_MISSING_MAX = 100_000


class Verifier:
    """Feed it messages of `<base>/<node>/telemetry`; each gives a Verdict.

    It may start in the middle of a boot: what came before is nobody's gap. `totals` counts
    verdicts by kind.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, dict[int, _Boot]] = {}
        self.totals: dict[Kind, int] = dict.fromkeys(Kind, 0)

    def feed(self, topic: str, payload: bytes) -> Verdict:
        """Judge one message. Never raises for what a stranger may publish."""
        verdict = self._judge(topic, payload)
        self.totals[verdict.kind] += 1
        return verdict

    def missing(self) -> Iterator[tuple[str, int, list[int]]]:
        """(node, boot, seq numbers that have not arrived), where there are any."""
        for node, boots in self._nodes.items():
            for number, boot in boots.items():
                if boot.missing:
                    yield node, number, sorted(boot.missing)

    def _judge(self, topic: str, payload: bytes) -> Verdict:
        parts = topic.split("/")
        node = parts[-2] if len(parts) > 1 else topic
        try:
            reading: Any = json.loads(payload)
        except (ValueError, RecursionError):
            return Verdict(Kind.MALFORMED, node, text="not JSON")
        if not isinstance(reading, dict):
            return Verdict(Kind.MALFORMED, node, text="not a JSON object")
        number, seq = reading.get("boot"), reading.get("seq")
        if type(number) is not int or type(seq) is not int or number < 0 or seq < 0:
            return Verdict(Kind.MALFORMED, node, text="boot or seq is missing, or no number")
        # The age of a reading without a time differs each time it is sent; the reading does not.
        reading.pop("age_s", None)
        reading.pop("ts", None)
        return self._place(node, number, seq, hash(json.dumps(reading, sort_keys=True)))

    def _place(self, node: str, number: int, seq: int, fingerprint: int) -> Verdict:
        boots = self._nodes.setdefault(node, {})
        boot = boots.get(number)
        if boot is None:
            # The first boot seen may be joined in the middle; a later one begins at 0.
            later = bool(boots) and number > max(boots)
            boot = boots[number] = _Boot(first=0 if later else seq, highest=seq)
            if len(boots) > _BOOTS_MAX:
                del boots[min(boots)]
            boot.seen[seq] = fingerprint
            if later and seq:
                boot.missing.update(range(min(seq, _MISSING_MAX)))
                return Verdict(Kind.GAP, node, number, seq, missing=seq)
            return Verdict(Kind.BOOT, node, number, seq)
        if seq in boot.seen:
            same = boot.seen[seq] == fingerprint
            return Verdict(Kind.DUPLICATE if same else Kind.CONFLICT, node, number, seq)
        if seq <= boot.highest and seq not in boot.missing:
            if seq < boot.first:
                return Verdict(Kind.LATE, node, number, seq)
            return Verdict(Kind.DUPLICATE, node, number, seq)  # Too long ago to compare.
        boot.seen[seq] = fingerprint
        if len(boot.seen) > _SEEN_MAX:
            del boot.seen[next(iter(boot.seen))]
        if seq in boot.missing:
            boot.missing.discard(seq)
            return Verdict(Kind.LATE, node, number, seq)
        skipped = range(boot.highest + 1, seq)
        boot.highest = seq
        if skipped:
            boot.missing.update(skipped[:_MISSING_MAX])
            return Verdict(Kind.GAP, node, number, seq, missing=len(skipped))
        return Verdict(Kind.NEW, node, number, seq)
