"""Benchmark 2: publishes per second on loopback, without a proxy, and the heap each one takes."""

from collections.abc import Callable
from typing import Any

from benchmarks import port
from benchmarks.figures import Row, merge
from benchmarks.parts import Parts
from fieldpost.mqtt.brokers import HOST, Broker

CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fieldpost": ("fieldpost", {}),
    "umqtt.simple": ("umqtt.simple", {}),
    "umqtt.simple, Nagle off": ("umqtt.simple", {"no_delay": True}),
    "umqtt.robust": ("umqtt.robust", {}),
    "umqtt.robust2": ("umqtt.robust2", {}),
    "chumicro-mqtt": ("chumicro-mqtt", {}),
    "mqtt_as, one by one": ("mqtt_as", {"gathered": False}),
    "mqtt_as, gathered": ("mqtt_as", {"gathered": True}),
}
_READINGS = 10_000
_LIMIT_MS = 3000
_ROUNDS = 3


def measure(parts: Parts, broker: Broker, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each client and QoS."""
    rows: list[Row] = []
    for qos in (1, 0):
        say(f"throughput: QoS {qos}")
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
        why: dict[str, str] = {}
        for _ in range(1 if quick else _ROUNDS):
            for name, (client, options) in CLIENTS.items():
                if client in parts.missing:
                    why[name] = parts.missing[client]
                    continue
                asked = {"do": "throughput", "host": HOST, "port": broker.port, "qos": qos}
                asked |= {"readings": _READINGS, "limit_ms": _LIMIT_MS // (3 if quick else 1)}
                try:
                    runs[name].append(port.ask(parts, client, **asked, **options))
                except port.ClientFailed as error:
                    why[name] = str(error)
        for name, some in runs.items():
            row: Row = {"client": name, "qos": qos}
            row |= merge(some, "per_s") if name not in why else {"not_run": why[name]}
            rows.append(row)
    return rows


def bursts(parts: Parts, broker: Broker, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Fifty readings at once on a quiet connection, with the session's nudge and without."""
    say("bursts")
    variants: dict[str, dict[str, Any]] = {
        "Fieldpost": {},
        "Fieldpost without its nudge": {"no_nudge": True},
    }
    asked = {"do": "burst", "host": HOST, "port": broker.port, "readings": 50, "bursts": 20}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for _ in range(1 if quick else _ROUNDS):
        for name, options in variants.items():
            runs[name].append(port.ask(parts, "fieldpost", **asked, **options))
    rows: list[Row] = []
    for name, some in runs.items():
        row: Row = {"client": name, "burst": 50, "ms": merge(some)["ms"]}
        rows.append(row | {"ms_max": max(run["delivered_ms"] for run in some)})
    return rows
