"""One fault of a cluster's: nodes live, it happens, all of them come back, the account is made."""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from scale import figures, load
from scale.faults import Fault, Pace
from scale.fleet import Lived
from scale.rig import Rig
from scale.stored import Stored

Say = Callable[[str], None]
_START_S = 120.0
# The longest pause of a node's between two tries is 300 s.
_BACK_S = 420.0
_SETTLE_S = 90.0
_LOOK_S = 0.5


def play(rig: Rig, fault: Fault, pace: Pace, say: Say) -> dict[str, Any]:
    """The row of one fault. Raises CommandError if something of ours fails."""
    prefix = f"{fault.name}-"
    before = rig.collectors.counts()
    first = len(rig.watch.samples)
    idle = rig.usage(None)
    with rig.fleet(prefix) as fleet:
        rig.wait_until_all_are_there(fleet, _START_S)
        time.sleep(pace.warm_s)
        say(f"{fault.title} …")
        usage = rig.usage(fleet)
        began = time.time()
        fault.act(rig, pace)
        over = time.time()
        used = rig.usage(fleet)
        rig.wait_until_all_are_there(fleet, _BACK_S)
        back = time.time()
        say(f"all nodes are back after {back - began:.1f} s")
        time.sleep(pace.after_s)
        ended = time.time()
        lived = fleet.end()
    stored = _settled(rig, prefix, lived)
    times = figures.Times(began, over, back, ended)
    samples = rig.watch.samples[first:]
    counts: Counter[str] = rig.collectors.counts()
    counts.subtract(before)
    row: dict[str, Any] = {"fault": fault.name, "title": fault.title, "nodes": rig.plan.nodes}
    row |= {"sample_s": rig.plan.sample_s, "load_average": round(os.getloadavg()[0], 1)}
    row |= figures.account(lived, stored)
    row |= figures.took(lived, stored, samples, times)
    row |= {"came_again": counts["repeated"], "left_in_brokers": rig.cluster.waiting()}
    if fault.is_steady:
        steady = sum(began <= moment < over for moment in lived.accepted.values())
        row["load"] = load.between(usage, used, steady, rig.plan.nodes)
        grown = used.memory.get("brokers", 0) - idle.memory.get("brokers", 0)
        row["load"]["kb_per_connection"] = round(grown / rig.plan.nodes / 1000)
        row["load"]["disk_bytes"] = round(rig.look.bytes_per_reading())
    row["series"] = figures.series(lived, stored, samples, times)
    return row


def _settled(rig: Rig, prefix: str, lived: Lived) -> Stored:
    """What is in the store when all has come, or nothing has for a while."""
    end = time.monotonic() + _SETTLE_S
    while True:
        stored = rig.look.stored(prefix)
        missing = lived.acknowledged.keys() - stored.committed.keys()
        if not missing or time.monotonic() > end:
            return stored
        time.sleep(_LOOK_S)
