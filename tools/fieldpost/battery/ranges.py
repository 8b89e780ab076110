"""A figure between two ends: the one that costs least charge, and the one that costs most."""

from typing import NamedTuple


class Range(NamedTuple):
    """A figure between its two ends. `best` gives the longest life, `worst` the shortest."""

    best: float
    worst: float

    def at(self, case: str) -> float:
        """The figure in the case "low" (of life), "middle" or "high"."""
        if case == "low":
            return self.worst
        if case == "high":
            return self.best
        # Ends that differ a hundredfold have no useful arithmetic mean.
        if self.best > 0 and self.worst > 0:
            return float((self.best * self.worst) ** 0.5)
        return (self.best + self.worst) / 2

    @property
    def is_known(self) -> bool:
        return self.best == self.worst


def exactly(value: float) -> Range:
    return Range(value, value)
