"""An hour of a fleet's traffic, published quicker than it would come, and what the collector's
process holds of memory meanwhile."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rigs.collecting import Collecting

from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.store import address
from fieldpost.store.opened import open_store

HOUR_S = 3600
SAMPLE_S, HEALTH_S, STATE_S = 10, 300, 1800
_BASE_TS = 1_700_000_000
# One message in so many is another under a key that is taken, or can't be read.
_STRANGE_EVERY = 500
_LOOK_S = 0.25
_IN_FLIGHT_MAX = 500
_SETTLE_S = 60.0
_MB = 1024 * 1024


@dataclass(frozen=True)
class Published:
    """How many messages of each kind. Conflicts and rejected ones are meant to be."""

    readings: int = 0
    events: int = 0
    conflicts: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Hour:
    """Resident memory in MB at parts of the hour. early: after a tenth of it, when all is loaded.
    growth: of the most in its last half over the most before. stored: what the store has then."""

    early_mb: float
    half_mb: float
    last_mb: float
    most_mb: float
    growth_mb: float
    published: Published
    stored: Published
    took_s: float


Message = tuple[str, bytes, int, bool]


def messages(nodes: int, seconds: int = HOUR_S) -> Iterator[tuple[int, Message, str]]:
    """(second, (topic, payload, QoS, retained), kind) as `nodes` nodes send them in that time."""
    chance = random.Random(1)
    count = 0
    for second in range(seconds):
        for number in range(nodes):
            node = f"node-{number}"
            if (second + number) % STATE_S == 0:
                for state in ("offline", "online"):
                    yield second, _message(node, "status", {"state": state}, True), "events"
            if (second + number) % HEALTH_S == 0:
                told = {"firmware": "0.1.0", "uptime_s": second, "rssi": -60, "outbox": 0}
                yield second, _message(node, "health", told, True), "events"
            if (second + number) % STATE_S == STATE_S // 2:
                told = {"id": f"{number}-{second}", "ok": True}
                yield second, _message(node, "cmd/result", told), "events"
            if (second + number) % SAMPLE_S:
                continue
            reading = {
                "boot": 1,
                "seq": second // SAMPLE_S,
                "ts": _BASE_TS + second,
                "temperature": round(chance.gauss(20, 3), 2),
                "humidity": round(chance.uniform(30, 70), 1),
                "pressure": round(chance.gauss(1013, 8), 1),
            }
            yield second, _message(node, "telemetry", reading), "readings"
            count += 1
            if count % _STRANGE_EVERY == 0:
                yield second, _message(node, "telemetry", {**reading, "humidity": -1}), "conflicts"
                topic = f"fieldpost/{node}/telemetry"
                yield second, (topic, b"\xffnothing %d" % count, 1, False), "rejected"


def _message(node: str, kind: str, told: dict[str, object], is_kept: bool = False) -> Message:
    qos = 0 if kind == "health" else 1
    return f"fieldpost/{node}/{kind}", json.dumps(told).encode(), qos, is_kept


def watched(
    broker: Broker, store: str, one: Collecting, nodes: int, quicker: float, seconds: int = HOUR_S
) -> Hour:
    """Publish it, `quicker` times as quick as it would come, and look at the collector."""
    process = psutil.Process(one.pid)
    counts: dict[str, int] = {}
    begin = time.monotonic()
    thread = threading.Thread(
        target=_publish, args=(broker, nodes, quicker, seconds, counts), daemon=True
    )
    thread.start()
    sizes: list[tuple[float, float]] = []
    while thread.is_alive():
        sizes.append((time.monotonic() - begin, process.memory_info().rss / _MB))
        thread.join(_LOOK_S)
    took_s = time.monotonic() - begin
    published = Published(**counts)
    stored = _settled(store, published)
    sizes.append((took_s, process.memory_info().rss / _MB))
    early = [size for at, size in sizes if at <= took_s / 2]
    late = [size for at, size in sizes if at > took_s / 2]
    return Hour(
        early_mb=next(size for at, size in sizes if at >= took_s / 10),
        half_mb=early[-1],
        last_mb=sizes[-1][1],
        most_mb=max(size for _, size in sizes),
        growth_mb=max(late) - max(early),
        published=published,
        stored=stored,
        took_s=took_s,
    )


def _publish(
    broker: Broker, nodes: int, quicker: float, seconds: int, counts: dict[str, int]
) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="fleet")
    client.max_inflight_messages_set(_IN_FLIGHT_MAX)
    client.connect(HOST, broker.port)
    client.loop_start()
    begin = time.monotonic()
    for second, (topic, payload, qos, is_kept), kind in messages(nodes, seconds):
        ahead_s = begin + second / quicker - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        while len(client._out_messages) > _IN_FLIGHT_MAX * 4:
            time.sleep(0.01)
        client.publish(topic, payload, qos, is_kept)
        counts[kind] = counts.get(kind, 0) + 1
    while client._out_messages:
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()


def _settled(store: str, published: Published) -> Published:
    """What is stored when all is, or when it was waited for long enough."""
    end = time.monotonic() + _SETTLE_S
    while (now := _stored(store)) != published and time.monotonic() < end:
        time.sleep(0.5)
    return now


def _stored(store: str) -> Published:
    opened = open_store(address.parse(store))
    try:
        with opened.engine.connect() as connection:
            found = [
                connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() or 0
                for name in ("readings", "events", "conflicts", "rejected")
            ]
    finally:
        opened.close()
    return Published(*found)
