"""What a run comes to: nodes' ledgers against the store, and how long things took."""

import bisect
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scale.fleet import Lived
from scale.stored import Stored
from scale.watch import Sample

# A reading that takes longer to the store than this was held up.
LATE_S = 5.0
# A node leaves out what its broker has so often closed on: firmware/net/mqtt_careful.py.
_ENDS_MAX = 3
_CLOSES = "broker closes on "
_TOPIC = re.compile(r"\b[^/\s]+/[^/\s]+/")
_BEFORE_S = 10
_SERIES_S = 300


@dataclass(frozen=True)
class Times:
    """Unix seconds. began: of the fault. over: when all ran again. back: when every node was
    connected again. ended: when the nodes were told to end."""

    began: float
    over: float
    back: float
    ended: float


def account(lived: Lived, stored: Stored) -> dict[str, int]:
    """The promise, counted. lost: acknowledged to a node, and not in the store. foreign: in the
    store, and accepted by no node. twice: rows beyond one for each key, and conflicts."""
    kept = stored.committed.keys()
    return {
        "accepted": len(lived.accepted),
        "acknowledged": len(lived.acknowledged),
        "stored": len(kept),
        "lost": len(lived.acknowledged.keys() - kept),
        "foreign": len(kept - lived.accepted.keys()),
        "twice": stored.rows - len(kept) + stored.conflicts,
        "rejected": stored.rejected,
        "waiting": lived.counts["waiting"],
        "dropped": lived.counts["dropped"],
    }


def took(lived: Lived, stored: Stored, samples: Sequence[Sample], times: Times) -> dict[str, Any]:
    """How the run went, in seconds and per second, from the fault's beginning on.

    delivered_s: until the last reading that was held up was in the store; 0 if none was. pause_s:
    the longest time without a commit.
    """
    ways = [
        (moment, moment - lived.accepted[key])
        for key, moment in stored.committed.items()
        if key in lived.accepted and moment >= times.began
    ]
    late = [moment for moment, way_s in ways if way_s > LATE_S]
    commits = sorted(moment for moment, _ in ways)
    edges = [times.began, *[one for one in commits if one < times.ended], times.ended]
    ways_s = sorted(way_s for _, way_s in ways) or [0.0]
    dials = [n for second, n in lived.dialled.items() if second >= int(times.began)]
    return {
        "seconds": round(times.ended - times.began, 1),
        "away_s": round(times.over - times.began, 1),
        "back_s": round(times.back - times.began, 1),
        "late": len(late),
        "delivered_s": round(max(late) - times.began, 1) if late else 0.0,
        "pause_s": round(max(b - a for a, b in itertools.pairwise(edges)), 1),
        "way_s": round(statistics.median(ways_s), 3),
        "way_99_s": round(_share(ways_s, 0.99), 3),
        "way_max_s": round(ways_s[-1], 1),
        "dials": sum(dials),
        "dials_per_s": max(dials, default=0),
        "reached_per_s": max(_reached(samples, times.began).values(), default=0),
        "reconnects": lived.counts["reconnects"],
        "sent_again": lived.counts["repeats"],
        "causes": _of_all(lived.causes),
        "left_out": _left_out(lived.causes),
        "said": lived.said,
    }


def series(
    lived: Lived, stored: Stored, samples: Sequence[Sample], times: Times
) -> dict[str, list[int]]:
    """Counts for each second, from 10 s before the fault on; `second` is 0 where it begins.

    at_nodes: readings that wait there. in_brokers: those that brokers have and the store has not.
    dials: connections begun. reached: those that came to a broker. stored: readings committed.
    """
    seconds = range(-_BEFORE_S, min(round(times.ended - times.began), _SERIES_S) + 1)
    accepted = sorted(lived.accepted.values())
    # A commit can be seen before the acknowledgement is: then nothing waits in a broker.
    gone = sorted(
        min(moment, stored.committed.get(key, moment))
        for key, moment in lived.acknowledged.items()
    )
    committed = sorted(
        moment for key, moment in stored.committed.items() if key in lived.acknowledged
    )
    reached = _reached(samples, times.began - _BEFORE_S)
    told: dict[str, list[int]] = {
        name: [] for name in ("second", "at_nodes", "in_brokers", "dials", "reached", "stored")
    }
    for second in seconds:
        now = times.began + second
        told["second"].append(second)
        told["at_nodes"].append(_until(accepted, now) - _until(gone, now))
        told["in_brokers"].append(_until(gone, now) - _until(committed, now))
        told["dials"].append(lived.dialled[int(now)])
        told["reached"].append(reached.get(int(now), 0))
        told["stored"].append(_until(committed, now + 1) - _until(committed, now))
    return told


def _of_all(causes: Counter[str]) -> dict[str, int]:
    """Why sessions ended, whichever node's: a topic without the node's name."""
    found: Counter[str] = Counter()
    for cause, count in causes.items():
        found[_TOPIC.sub("…/", cause)] += count
    return dict(found.most_common())


def _left_out(causes: Counter[str]) -> dict[str, int]:
    """How many nodes have given up an extra, by its topic: brokers have closed on it too often."""
    found: Counter[str] = Counter()
    for cause, count in causes.items():
        words = cause.partition(_CLOSES)[2]
        if _TOPIC.match(words) and count >= _ENDS_MAX:
            found[_TOPIC.sub("…/", words)] += 1
    return dict(found.most_common())


def _reached(samples: Sequence[Sample], since: float) -> dict[int, int]:
    """Connections that came to the brokers in each second."""
    found: dict[int, int] = {}
    for before, after in itertools.pairwise(samples):
        if before.at >= since:
            new = after.taken - before.taken
            found[int(after.at)] = found.get(int(after.at), 0) + max(new, 0)
    return found


def _until(moments: Sequence[float], now: float) -> int:
    return bisect.bisect_right(moments, now)


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def is_kept(row: dict[str, Any]) -> bool:
    """Whether the promise was kept in a run."""
    names = ("lost", "twice", "foreign", "rejected", "dropped", "waiting")
    return not any(row[name] for name in names)


def broken(rows: Iterable[dict[str, Any]]) -> list[str]:
    """A sentence for each run in which it was not."""
    return [
        f"{row['cluster']}, {row['fault']}: {row['lost']} lost, {row['twice']} twice, "
        f"{row['foreign']} foreign, {row['rejected']} rejected, {row['dropped']} dropped, "
        f"{row['waiting']} waiting"
        for row in rows
        if not is_kept(row)
    ]
