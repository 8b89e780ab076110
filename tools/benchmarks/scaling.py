"""Benchmark 4: time and heap to deliver what waits on flash, over how much that is."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import port
from benchmarks.figures import Row, merge
from benchmarks.parts import CLIENTS, Parts, paths_for
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.node_process import HEAP_KIB

READINGS = (10, 100, 1000, 10_000)
_ROUNDS = 5


def measure(parts: Parts, broker: Broker, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each number of readings.

    MicroPython's unix port on a heap with as many objects as a Pico W's, real littlefs of 4 MiB
    in a file of the host, and room in the outbox for all of it.
    """
    runs: dict[int, list[dict[str, float]]] = {count: [] for count in READINGS}
    heaps: dict[int, dict[str, float]] = {}
    for turn in range(1 if quick else _ROUNDS):
        say(f"scaling: round {turn + 1}")
        for count in READINGS[:3] if quick else READINGS:
            runs[count].append(_once(parts, broker, count, False))
            if turn == 0:
                heaps[count] = _once(parts, broker, count, True)
    rows = []
    for count, some in runs.items():
        if some:
            row = merge(some) | {"readings": count, "heap": heaps[count]["heap"]}
            row["ms_per_reading"] = round(row["ms"] / count, 4)
            rows.append(row)
    return rows


def _once(parts: Parts, broker: Broker, count: int, heap: bool) -> dict[str, float]:
    asked = {"host": HOST, "port": broker.port, "readings": count, "heap": heap}
    script = Path(CLIENTS / "scaling_client.py")
    paths = paths_for("fieldpost", parts.folder)
    return port.run(parts, script, asked, paths, limit_s=120, heap=f"{HEAP_KIB}K")
