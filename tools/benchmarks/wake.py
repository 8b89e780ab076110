"""Benchmark 1: from the network's link-up to all readings acknowledged and the session closed."""

from collections.abc import Callable
from typing import Any

from benchmarks import port
from benchmarks.figures import Row, merge
from benchmarks.parts import Parts
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.mqtt.proxy import Proxy

CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fieldpost": ("fieldpost", {}),
    "umqtt.simple": ("umqtt.simple", {}),
    "umqtt.robust": ("umqtt.robust", {}),
    "umqtt.robust2": ("umqtt.robust2", {}),
    "chumicro-mqtt": ("chumicro-mqtt", {}),
    "mqtt_as, one by one": ("mqtt_as", {"gathered": False}),
    "mqtt_as, gathered": ("mqtt_as", {"gathered": True}),
}
READINGS = (1, 10, 50, 500)
ROUND_TRIPS_MS = (0, 20, 50, 200)
# A run that is sure to take longer is left out, and said to be.
_LIMIT_S = 30.0
_LIMIT_QUICK_S = 4.0
# mqtt_as looks for its PUBACK every 100 ms.
_MQTT_AS_POLL_S = 0.1
# What the proxy counts of a connection.
_SEEN = ("round_trips", "segments", "sent_bytes", "received_bytes")


def least_s(client: str, readings: int, round_trip_ms: float) -> float:
    """What a run takes at least, by how the client works."""
    round_trip_s = round_trip_ms / 1000
    if client in ("umqtt.simple", "umqtt.robust"):
        return (readings + 2) * round_trip_s
    if client == "mqtt_as, one by one":
        polls = int(round_trip_s / _MQTT_AS_POLL_S) + 1
        return 1 + readings * polls * _MQTT_AS_POLL_S
    return 2 * round_trip_s + (1 if client.startswith("mqtt_as") else 0)


def rounds_of(least: float, quick: bool) -> int:
    """How often a run of that length is repeated."""
    if quick:
        return 1
    return 5 if least < 1 else 3 if least < 4 else 1


def measure(parts: Parts, broker: Broker, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """One row for each client, number of readings and round trip."""
    limit_s = _LIMIT_QUICK_S if quick else _LIMIT_S
    rows: list[Row] = []
    for round_trip_ms in (20, 50) if quick else ROUND_TRIPS_MS:
        with Proxy(broker.port, round_trip_ms) as proxy:
            for readings in (1, 50) if quick else READINGS:
                say(f"wake: {readings} readings at {round_trip_ms} ms")
                rows += _interleaved(parts, proxy, readings, limit_s, quick)
    return rows


def _interleaved(
    parts: Parts, proxy: Proxy, readings: int, limit_s: float, quick: bool
) -> list[Row]:
    """All clients in turn, round by round, so that the machine's moods meet each of them."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    why: dict[str, str] = {}
    for turn in range(5):
        for name, (client, options) in CLIENTS.items():
            least = least_s(name, readings, proxy.round_trip_ms)
            if client in parts.missing:
                why[name] = parts.missing[client]
            elif least > limit_s:
                why[name] = f"would take {least:.0f} s at least"
            elif turn < rounds_of(least, quick) and name not in why:
                try:
                    runs[name].append(_once(parts, proxy, client, readings, options))
                except port.ClientFailed as error:
                    why[name] = str(error)
    rows = []
    for name, some in runs.items():
        row: Row = {"client": name, "readings": readings, "round_trip_ms": proxy.round_trip_ms}
        row |= merge(some) if some and name not in why else {"not_run": why[name]}
        rows.append(row)
    return rows


def _once(
    parts: Parts, proxy: Proxy, client: str, readings: int, options: dict[str, Any]
) -> dict[str, float]:
    proxy.forget()
    asked = {"do": "wake", "host": HOST, "port": proxy.port, "readings": readings, **options}
    told = port.ask(parts, client, limit_s=120, **asked)
    connection = port.only(proxy.ended(), client)
    times = {"ms": told["ms"], "delivered_ms": told["delivered_ms"]}
    return times | {name: getattr(connection, name) for name in _SEEN}
