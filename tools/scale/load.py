"""What the parts of a rig take of this machine while it runs: processor, memory, bytes, disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from scale.network import Network

_DEVICES = Path("/proc/thread-self/net/dev")


@dataclass(frozen=True)
class Usage:
    """Of each part: processor time since it began, and memory (resident). moved: bytes that have
    passed the links of the brokers since they are there, to clients and among themselves."""

    cpu_s: dict[str, float]
    memory: dict[str, int]
    moved: dict[str, int]


def look(parts: Mapping[str, Sequence[int]], network: Network | None) -> Usage:
    """As of now. parts: processes, each with all that it has started. On loopback brokers and
    links are not told apart from the rest."""
    groups: dict[str, Sequence[int]] = dict(parts)
    if network:
        groups["brokers"] = [pid for index in range(network.nodes) for pid in network.pids(index)]
    cpu_s: dict[str, float] = {}
    memory: dict[str, int] = {}
    for name, pids in groups.items():
        found = {one.pid: one for pid in pids for one in _tree(pid)}
        cpu_s[name], memory[name] = 0.0, 0
        for one in found.values():
            try:
                times = one.cpu_times()
                memory[name] += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            cpu_s[name] += times.user + times.system
    return Usage(cpu_s, memory, _moved() if network else {})


def between(before: Usage, after: Usage, readings: int, nodes: int) -> dict[str, Any]:
    """For each reading: milliseconds of processor time of each part, and bytes on the links; and
    megabytes of each part in the end."""
    count = max(readings, 1)
    return {
        "readings": readings,
        "nodes": nodes,
        "cpu_ms": {
            name: round(1000 * (total - before.cpu_s.get(name, 0.0)) / count, 2)
            for name, total in after.cpu_s.items()
        },
        "memory_mb": {name: round(size / 1e6) for name, size in after.memory.items()},
        "bytes": {
            side: round((total - before.moved.get(side, 0)) / count)
            for side, total in after.moved.items()
        },
    }


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _moved() -> dict[str, int]:
    """What has passed the hub's ends of the links, both ways. This thread is in the hub."""
    found = {"clients": 0, "peers": 0}
    for line in _DEVICES.read_text().splitlines()[2:]:
        name, _, counts = line.strip().partition(":")
        side = name.rstrip("0123456789")
        if side in found and side != name:
            received, sent = (int(counts.split()[place]) for place in (0, 8))
            # Between peers each byte passes two links.
            found[side] += received if side == "peers" else received + sent
    return found
