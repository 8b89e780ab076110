"""Times of a wake's phases from a node's log.

A node with `"profile": true` logs one line for each wake, whatever stands before it:

    profile {"boot_ms":412,"sample_ms":2003,"join_ms":655,"connect_ms":48,"deliver_ms":9,
    "readings":3}

(on a single line). docs/battery.md says what each key counts. A wake that did not join leaves out
`join_ms` and what follows; one that joined in vain has `join_ms` and `"readings":0`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from fieldpost.battery.model import Node
from fieldpost.battery.ranges import Range
from fieldpost.errors import BadFile

KEYS = ("boot_ms", "sample_ms", "join_ms", "connect_ms", "deliver_ms", "readings")
_LINE = re.compile(r"\bprofile\s+(\{.*)$")
_LONGEST_MS = 3_600_000


class Measured(NamedTuple):
    """What a log says: None where no wake told it. `reading_ms` is for each reading."""

    wakes: int
    deliveries: int
    boot_ms: Range | None
    measuring_boot_ms: Range | None
    sample_ms: Range | None
    join_ms: Range | None
    connect_ms: Range | None
    reading_ms: Range | None


def read_log(path: Path) -> Measured:
    """Return the times in a node's log; raise CommandError for one that holds none."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    wakes = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.search(line)
        if found:
            wakes.append(_wake(found.group(1), f"{path} line {number}"))
    if not wakes:
        raise BadFile(
            f'{path} has no profile lines: set "profile": true in the node\'s config.json and log '
            "some wakes"
        )
    return summarise(wakes)


def summarise(wakes: list[dict[str, float]]) -> Measured:
    """Return the spread of each time over some wakes."""
    delivered = [wake for wake in wakes if wake.get("readings", 0) > 0]
    # What joins in vain cost falls on those that succeeded.
    in_vain_ms = sum(wake["join_ms"] for wake in wakes if "join_ms" in wake) - sum(
        wake["join_ms"] for wake in delivered if "join_ms" in wake
    )
    join_ms = _spread(wake["join_ms"] for wake in delivered if "join_ms" in wake)
    if join_ms is not None:
        extra_ms = in_vain_ms / len(delivered)
        join_ms = Range(join_ms.best + extra_ms, join_ms.worst + extra_ms)
    return Measured(
        wakes=len(wakes),
        deliveries=len(delivered),
        boot_ms=_spread(w["boot_ms"] for w in wakes if "boot_ms" in w and "join_ms" in w),
        measuring_boot_ms=_spread(
            w["boot_ms"] for w in wakes if "boot_ms" in w and "join_ms" not in w
        ),
        sample_ms=_spread(wake["sample_ms"] for wake in wakes if "sample_ms" in wake),
        join_ms=join_ms,
        connect_ms=_spread(wake["connect_ms"] for wake in delivered if "connect_ms" in wake),
        reading_ms=_spread(
            wake["deliver_ms"] / wake["readings"] for wake in delivered if "deliver_ms" in wake
        ),
    )


def apply(node: Node, measured: Measured, name: str) -> Node:
    """Return the node with the measured times in place of its board's."""
    times = {
        key: value
        for key, value in measured._asdict().items()
        if key in ("boot_ms", "measuring_boot_ms", "connect_ms", "reading_ms")
        and value is not None
    }
    text = f"measured: {name}, {measured.wakes} wakes, {measured.deliveries} deliveries"
    board = replace(node.board, **times, sources=node.board.sources | dict.fromkeys(times, text))
    return replace(
        node,
        board=board,
        measured_join_ms=measured.join_ms,
        measured_sample_ms=measured.sample_ms,
        builds_always=node.builds_always and measured.measuring_boot_ms is None,
    )


def _wake(text: str, where: str) -> dict[str, float]:
    try:
        wake: Any = json.loads(text)
    except ValueError:
        raise BadFile(f"{where}: what follows `profile` is not JSON: {text[:60]}") from None
    assert isinstance(wake, dict)
    for key, value in wake.items():
        if key not in KEYS:
            raise BadFile(f"{where}: unknown key {key!r}; known are {', '.join(KEYS)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadFile(f"{where}: {key} must be a number, found {json.dumps(value)}")
        if not 0 <= value <= _LONGEST_MS:
            raise BadFile(f"{where}: {key} must be from 0 to {_LONGEST_MS}, found {value}")
    return wake


def _spread(values: Iterable[float]) -> Range | None:
    """The 10th and the 90th percentile (nearest rank); None of nothing."""
    found = sorted(values)
    if not found:
        return None
    tail = len(found) // 10
    return Range(found[tail], found[-1 - tail])
