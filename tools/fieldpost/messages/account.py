"""The account of a node's readings: what it took, against what arrived.

What was taken is known from the node's own console, so that a reading which never arrives is
missed; what arrived is keyed as every subscriber should key it, on (boot, seq).
"""

from dataclasses import dataclass, field
from typing import Any

Key = tuple[int, int]


@dataclass
class Account:
    """Filled in as things happen; the figures can be read at any time."""

    taken: set[Key] = field(default_factory=set)
    delivered: dict[Key, dict[str, Any]] = field(default_factory=dict)
    # Messages that repeat a reading: at-least-once allows them, and the key removes them.
    repeats: int = 0
    out_of_order: int = 0
    _conflicts: set[Key] = field(default_factory=set)
    _highest: Key = (-1, -1)

    def take(self, key: Key) -> None:
        """The node says that it stored this reading."""
        self.taken.add(key)

    def deliver(self, payload: dict[str, Any]) -> bool:
        """A reading arrived; True if it is new. Raises ValueError if it has no key."""
        boot, seq = payload.get("boot"), payload.get("seq")
        if type(boot) is not int or type(seq) is not int:
            raise ValueError("a reading without boot and seq")
        key = (boot, seq)
        if key in self.delivered:
            self.repeats += 1
            if self.delivered[key] != payload:
                self._conflicts.add(key)
            return False
        self.delivered[key] = payload
        if key < self._highest:
            self.out_of_order += 1
        self._highest = max(key, self._highest)
        return True

    @property
    def waiting(self) -> set[Key]:
        """Taken and not arrived: lost, if nothing more is to come."""
        return self.taken - self.delivered.keys()

    @property
    def duplicated(self) -> int:
        """Readings that a subscriber who stores by the key would have more than once.

        Either two different readings came under one key, or one came under a key that the node
        never gave to it.
        """
        return len(self._conflicts) + len(self.delivered.keys() - self.taken)
