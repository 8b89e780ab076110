"""Benchmark 5: how soon after the broker's return the nodes have delivered what waited.

The whole firmware under CPython, on the virtual clock and network of host_tests/simulation: the
seconds are the nodes' own, and the same seeds give the same seconds on every machine.
"""

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.figures import Row, quantile
from fieldpost.paths import CPYTHON_SHIMS, DESK_PATH, LIB, ROOT

NODES = (1, 10, 50)
OUTAGES_S = (60, 600)
_BEFORE_S = 300.0
_SAMPLE_S = 10
# One node says little about a random delay: it comes back this often, each time anew.
_LIVES = {1: 50, 10: 5, 50: 1}


def measure(quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each number of nodes and length of the outage; `seconds` has each node's."""
    _find_simulation()
    rows = []
    for outage_s in OUTAGES_S[:1] if quick else OUTAGES_S:
        for nodes in NODES[:2] if quick else NODES:
            say(f"recovery: {nodes} nodes after {outage_s} s")
            seconds: list[float] = []
            peak = 0
            for life in range(1 if quick else _LIVES[nodes]):
                back, attempts = _play(1000 * outage_s + life, nodes, outage_s)
                seconds += back
                peak = max(peak, _busiest(attempts))
            rows.append(
                {
                    "nodes": nodes,
                    "outage_s": outage_s,
                    "waiting": outage_s // _SAMPLE_S,
                    "runs": 1 if quick else _LIVES[nodes],
                    "median_s": round(quantile(seconds, 0.5), 2),
                    "p90_s": round(quantile(seconds, 0.9), 2),
                    "last_s": round(max(seconds), 2),
                    "busiest_second": peak,
                    "seconds": [round(one, 2) for one in sorted(seconds)],
                }
            )
    return rows


def _busiest(moments: list[float]) -> int:
    """Most connections within any one second."""
    ordered = sorted(moments)
    most = start = 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] >= 1:
            start += 1
        most = max(most, end - start + 1)
    return most


def _find_simulation() -> None:
    """As host_tests/conftest.py: the stand-ins for MicroPython's modules come last."""
    for folder in (ROOT / "host_tests", DESK_PATH, LIB, ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if str(CPYTHON_SHIMS) not in sys.path:
        sys.path.append(str(CPYTHON_SHIMS))


def _play(seed: int, nodes: int, outage_s: int) -> tuple[list[float], list[float]]:
    """(seconds until each node had delivered, moments of connections to the broker after it)."""
    from simulation import scenario as scenarios
    from simulation.run import Run

    made: list[Any] = []
    for number in range(nodes):
        name = f"node-{number}"
        config = {
            "node": name,
            "sample_s": _SAMPLE_S,
            "mqtt": {"host": scenarios.BROKER},
            "ntp": {"host": None},
            "sensors": [{"type": "internal"}],
        }
        secrets = {"wifi": [{"ssid": "greenhouse", "password": "12345678"}]}
        files = (config, secrets)
        made.append(scenarios.NodeScenario(name, "esp32", *files, False, 1 << 20, 2000, 0, 0, 0))
    back_s = _BEFORE_S + outage_s
    fault = scenarios.Fault(_BEFORE_S, outage_s, "broker restarts without its sessions", -1)
    run = Run(scenarios.Scenario(seed, back_s, made, [fault]))
    run.play()
    attempts = [
        moment
        for connection in run.net.connections
        if (moment := connection.opened_us / 1e6 - back_s) >= 0
    ]
    settled = [machine.settled_us for machine in run.machines if machine.settled_us is not None]
    return [moment_us / 1e6 - back_s for moment_us in settled], attempts
