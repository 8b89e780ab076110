"""Whole numbers kept as ranges: a gap of 2^63 takes no more room than one of 2."""

import bisect
from collections.abc import Iterator


class Ranges:
    """Grows at its upper end only; any number can be taken out."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(first, last) of each, both included, in order."""
        return zip(self._first, self._last, strict=True)

    def __contains__(self, number: int) -> bool:
        at = bisect.bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return sum(self._last) - sum(self._first) + len(self._first)

    def append(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`, all above those that there are."""
        self._first.append(first)
        self._last.append(last)

    def discard(self, number: int) -> None:
        """Take one out, if it is there."""
        at = bisect.bisect_right(self._first, number) - 1
        if at < 0 or number > self._last[at]:
            return
        first, last = self._first[at], self._last[at]
        left = [(a, b) for a, b in ((first, number - 1), (number + 1, last)) if a <= b]
        self._first[at : at + 1] = [a for a, _ in left]
        self._last[at : at + 1] = [b for _, b in left]
