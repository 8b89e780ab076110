"""The hours of readings, as Home Assistant's long-term statistics keep them: mean, least, most.

Its hours are those of UTC, whatever the time zone.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fieldpost.home_assistant.readings import Reading

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Hour:
    """One field of one node. start_s: Unix seconds.

    is_whole: the readings that we have go on without a gap from before the hour to after it, so
    that nothing of it can be missing.
    """

    start_s: int
    mean: float
    least: float
    most: float
    count: int
    is_whole: bool


def hours_of(readings: Iterable[Reading]) -> dict[tuple[str, str], list[Hour]]:
    """By (node, field), in order of time."""
    nodes: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        nodes[reading.node].append(reading)
    found: dict[tuple[str, str], list[Hour]] = {}
    for node, taken in sorted(nodes.items()):
        taken.sort(key=lambda one: (one.at_s, one.boot, one.seq))
        values: dict[tuple[str, int], list[float]] = defaultdict(list)
        for reading in taken:
            for name, value in reading.values.items():
                values[name, _hour(reading)].append(value)
        whole = _whole_hours(taken)
        for (name, start_s), these in sorted(values.items()):
            mean = math.fsum(these) / len(these)
            hour = Hour(start_s, mean, min(these), max(these), len(these), start_s in whole)
            found.setdefault((node, name), []).append(hour)
    return found


def _hour(reading: Reading) -> int:
    return int(reading.at_s // HOUR_S) * HOUR_S


def _whole_hours(taken: list[Reading]) -> set[int]:
    """Hours with a reading before, one after, and no gap on the way. `taken` is in order."""
    whole: set[int] = set()
    unbroken = False
    for before, after in itertools.pairwise(taken):
        follows = _follows(before, after)
        if _hour(before) == _hour(after):
            unbroken = unbroken and follows
            continue
        if unbroken and follows:
            whole.add(_hour(before))
        # A new hour begins with `after`; what came before it is in hand if nothing is missing.
        unbroken = follows
    return whole


def _follows(before: Reading, after: Reading) -> bool:
    """Whether no reading was taken between the two."""
    if before.boot == after.boot:
        return after.seq == before.seq + 1
    return after.boot > before.boot and after.seq == 0
