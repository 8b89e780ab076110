"""What one node accepted, what of it arrived, and what may be missing, and why.

Accepted is a reading whose `Outbox.put` returned True. It must arrive, in order, unless it is
excused: it was only in RAM when the power went (allowed with durability "outage" while the link
was up, and where flash had refused), its bytes on flash were spoilt, or the outbox dropped it by
policy and counted it.
"""

import json
import re
from collections.abc import Callable

from firmware.readings import record as reading
from simulation.endings import Violation

WAITING, ARRIVED, LOST_WITH_POWER, SPOILT, PASSED_OVER, IN_DOUBT = range(6)

_PAYLOAD = re.compile(rb'\{"boot":(\d+),"seq":(\d+),"(ts|age_s)":(-?\d+),?(.*)\}')

Key = tuple[int, int]


class Ledger:
    """One node's readings, in the order in which they were accepted.

    dropped(): how many readings the node's outboxes say they dropped so far. in_order: that one
    arrives after a later one is a violation.
    """

    def __init__(self, name: str, dropped: Callable[[], int], in_order: bool = True) -> None:
        self.name = name
        self._in_order = in_order
        self._dropped = dropped
        self._keys: list[Key] = []
        self._fields: list[bytes] = []
        self._states = bytearray()
        self._index: dict[Key, int] = {}
        self._next = 0  # the oldest that has neither arrived nor been passed over
        self._boots: set[int] = set()
        self._boot = self._seq = -1
        self._trying: bytes | None = None
        self.taken = self.delivered = self.repeats = self.passed_over = 0
        self.lost_with_power = self.spoilt = self.waiting = 0

    # -- what the node does --------------------------------------------------------------------

    def begin_boot(self, boot: int) -> None:
        if boot in self._boots:
            raise Violation(f"{self.name}: boot number {boot} was given twice")
        self._boots.add(boot)
        self._boot = boot
        self._seq = -1

    def trying(self, record: bytes) -> None:
        self._trying = record

    def accepted(self) -> Key:
        record, self._trying = self._trying, None
        assert record is not None
        key = reading.key(record)
        if key != (self._boot, self._seq + 1):
            raise Violation(f"{self.name}: reading {key} after {(self._boot, self._seq)}")
        self._seq += 1
        self._add(key, record, WAITING)
        self.taken += 1
        return key

    def has_arrived(self, key: Key) -> bool:
        return self._states[self._index[key]] == ARRIVED

    def refused(self) -> None:
        self._trying = None

    def _add(self, key: Key, record: bytes, state: int) -> None:
        self._index[key] = len(self._keys)
        self._keys.append(key)
        self._fields.append(record[13:])
        self._states.append(state)

    def power_lost(self, in_ram: list[bytes]) -> list[Key]:
        """The boot ended, and with it what was `in_ram` alone; the accepted ones among that."""
        if self._trying is not None:
            # It was never said to be accepted, and may be on flash all the same.
            self._add(reading.key(self._trying), self._trying, IN_DOUBT)
            self._trying = None
        gone = []
        for record in in_ram:
            index = self._index.get(reading.key(record))
            if index is not None and self._states[index] == WAITING:
                self._states[index] = LOST_WITH_POWER
                self.lost_with_power += 1
                gone.append(self._keys[index])
        return gone

    def spoil(self, keys: set[Key]) -> None:
        """These were on flash, and are no longer readable there."""
        for key in keys:
            index = self._index.get(key)
            if index is not None and self._states[index] == WAITING:
                self._states[index] = SPOILT
                self.spoilt += 1

    def check_flash(self, on_flash: set[Key]) -> None:
        """After a start: what waits must be on flash; the rest was dropped, or is lost."""
        states = self._states
        for index in range(self._next, len(states)):
            if states[index] == WAITING and self._keys[index] not in on_flash:
                self._pass_over(index)

    # -- what the broker gets ------------------------------------------------------------------

    def arrived(self, payload: bytes) -> None:
        found = _PAYLOAD.fullmatch(payload)
        if found is None:
            raise Violation(f"{self.name}: {payload!r} is no reading")
        key = (int(found[1]), int(found[2]))
        index = self._index.get(key)
        if index is None:
            if self._trying is None or key != reading.key(self._trying):
                raise Violation(f"{self.name}: {payload!r} was never taken")
            raise Violation(f"{self.name}: {payload!r} was sent before it was accepted")
        if found[5] != self._fields[index]:
            raise Violation(
                f"{self.name}: reading {key} arrived as {found[5]!r}, taken as"
                f" {self._fields[index]!r}"
            )
        states = self._states
        if states[index] == ARRIVED:
            self.repeats += 1
            return
        if self._in_order:
            if index < self._next:
                raise Violation(f"{self.name}: reading {key} arrived after a later one")
            for skipped in range(self._next, index):
                if states[skipped] == WAITING:
                    self._pass_over(skipped)
            self._next = index + 1
        if states[index] == LOST_WITH_POWER:
            # It had left before the power went.
            self.lost_with_power -= 1
        if states[index] == SPOILT:
            self.spoilt -= 1
        if states[index] == PASSED_OVER:
            self.passed_over -= 1
        states[index] = ARRIVED
        if not self._in_order:
            while self._next < len(states) and states[self._next] != WAITING:
                self._next += 1
        self.delivered += 1
        if self.delivered % 64 == 1:
            json.loads(payload)

    def _pass_over(self, index: int) -> None:
        self._states[index] = PASSED_OVER
        self.passed_over += 1
        if self.passed_over > self._dropped():
            raise Violation(
                f"{self.name}: reading {self._keys[index]} is lost"
                f" ({self.passed_over} missing, {self._dropped()} dropped by policy)"
            )

    def finish(self, kept: set[Key] | None = None) -> None:
        """The run is over: what has not arrived must be among what the node has `kept`, taken
        since it had delivered everything, or be excused."""
        waiting = 0
        for index in range(self._next, len(self._states)):
            if self._states[index] == WAITING:
                if kept and self._keys[index] in kept:
                    waiting += 1
                else:
                    self._pass_over(index)
        known = self.delivered + self.passed_over + self.lost_with_power + self.spoilt + waiting
        if known != len(self._states) - self._states.count(IN_DOUBT):
            raise Violation(f"{self.name}: the ledger does not add up")
        self.waiting = waiting
