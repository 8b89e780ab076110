"""A subscriber's side of the delivery contract: every reading once, in order, each gap named.

On the wire a reading comes at least once. Its key is (node, boot, seq): who stores by the key has
it exactly once. `seq` counts from 0 in each boot without gaps, so a number that is missing was
taken and has not arrived (yet), and one that never was is told from it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from fieldpost.messages import payload
from fieldpost.messages.ranges import Ranges


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
    missing: Ranges = field(default_factory=Ranges)


# Everything here is bounded, for anybody may publish as many nodes, boots and gaps as he likes.
# Boots remembered of a node, and of all.
_BOOTS_MAX = 64
_ALL_BOOTS_MAX = 16_384
# Fingerprints of readings: far more than nodes send again (each its outbox's one segment).
_SEEN_MAX = 65_536
_GAPS_MAX = 65_536
# A node's name has at most 32 characters.
_NAME_MAX = 64


class Verifier:
    """Feed it messages of `<base>/<node>/telemetry`; each gives a Verdict.

    It may start in the middle of a boot: what came before is nobody's gap. `totals` counts
    verdicts by kind. `unlisted` counts missing readings that `missing` no longer names.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, dict[int, _Boot]] = {}
        # A resent reading comes soon.
        self._seen: dict[tuple[str, int, int], int] = {}
        self._boots = 0
        self._gaps = 0
        self.unlisted = 0
        self.totals: dict[Kind, int] = dict.fromkeys(Kind, 0)

    def feed(self, topic: str, message: bytes) -> Verdict:
        """Judge one message. Never raises for what a stranger may publish."""
        verdict = self._judge(topic, message)
        self.totals[verdict.kind] += 1
        return verdict

    def missing(self) -> Iterator[tuple[str, int, Ranges]]:
        """(node, boot, seq numbers that have not arrived), where there are any."""
        for node, boots in self._nodes.items():
            for number, boot in boots.items():
                if boot.missing:
                    yield node, number, boot.missing

    def _judge(self, topic: str, message: bytes) -> Verdict:
        parts = topic.split("/")
        node = parts[-2] if len(parts) > 1 else topic
        if len(node) > _NAME_MAX:
            return Verdict(Kind.MALFORMED, node[:_NAME_MAX], text="the name is too long")
        try:
            reading = payload.read(message)
        except payload.Unreadable as error:
            return Verdict(Kind.MALFORMED, node, text=str(error))
        number, seq = reading.get("boot"), reading.get("seq")
        if type(number) is not int or type(seq) is not int or number < 0 or seq < 0:
            return Verdict(Kind.MALFORMED, node, text="boot or seq is missing, or no number")
        if number not in self._nodes.get(node, {}) and self._boots >= _ALL_BOOTS_MAX:
            return Verdict(Kind.MALFORMED, node, text="more nodes and boots than can be watched")
        # The age of a reading without a time differs each time it is sent; the reading does not.
        reading.pop("age_s", None)
        reading.pop("ts", None)
        return self._place(node, number, seq, hash(json.dumps(reading, sort_keys=True)))

    def _place(self, node: str, number: int, seq: int, fingerprint: int) -> Verdict:
        key = (node, number, seq)
        boots = self._nodes.setdefault(node, {})
        boot = boots.get(number)
        if boot is None:
            # The first boot seen may be joined in the middle; a later one begins at 0.
            later = bool(boots) and number > max(boots)
            boot = boots[number] = _Boot(first=0 if later else seq, highest=seq)
            self._boots += 1
            self._remember(key, fingerprint)
            if later and seq:
                self._miss(boot, 0, seq - 1)
            if len(boots) > _BOOTS_MAX:
                self._forget(boots, min(boots))
            if later and seq:
                return Verdict(Kind.GAP, node, number, seq, missing=seq)
            return Verdict(Kind.BOOT, node, number, seq)
        if key in self._seen:
            same = self._seen[key] == fingerprint
            return Verdict(Kind.DUPLICATE if same else Kind.CONFLICT, node, number, seq)
        if seq <= boot.highest and seq not in boot.missing:
            if seq < boot.first:
                return Verdict(Kind.LATE, node, number, seq)
            return Verdict(Kind.DUPLICATE, node, number, seq)  # Too long ago to compare.
        self._remember(key, fingerprint)
        if seq in boot.missing:
            self._gaps -= len(boot.missing)
            boot.missing.discard(seq)
            self._gaps += len(boot.missing)
            return Verdict(Kind.LATE, node, number, seq)
        skipped = seq - boot.highest - 1
        if skipped:
            self._miss(boot, boot.highest + 1, seq - 1)
        boot.highest = seq
        if skipped:
            return Verdict(Kind.GAP, node, number, seq, missing=skipped)
        return Verdict(Kind.NEW, node, number, seq)

    def _remember(self, key: tuple[str, int, int], fingerprint: int) -> None:
        self._seen[key] = fingerprint
        if len(self._seen) > _SEEN_MAX:
            del self._seen[next(iter(self._seen))]

    def _miss(self, boot: _Boot, first: int, last: int) -> None:
        if self._gaps >= _GAPS_MAX:
            self.unlisted += last - first + 1
            return
        boot.missing.append(first, last)
        self._gaps += 1

    def _forget(self, boots: dict[int, _Boot], number: int) -> None:
        boot = boots.pop(number)
        self._boots -= 1
        self._gaps -= len(boot.missing)
        self.unlisted += boot.missing.total
