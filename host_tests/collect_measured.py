"""Measures `fieldpost collect` and breaks it, and writes what came of it into docs/collect.md.

    make collect
    make collect COLLECT="--only rates"     # or memory, hour, long, faults; other tables stay

Readings in a second into both stores, directly and through Mosquitto; memory over a long stream,
with the store away, and over an hour of a fleet's traffic; SIGKILL and what else can happen. It
takes half an hour. Its status is 0 only if nothing was lost, nothing stored twice, and the hour
left no more memory behind than its first half; otherwise the page stays as it was.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import firmware_paths as _paths  # noqa: F401  finds the firmware as the tests do
import psutil
import typer
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rigs import collect_faults, collect_hour
from rigs.collecting import LOSES_NOTHING, Account, Collecting
from rigs.postgresql import PostgreSql, postgresql

from benchmarks.tables import table
from fieldpost.collect.message import Message, Reader
from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.pages import write_part
from fieldpost.paths import ROOT
from fieldpost.store.address import parse
from fieldpost.store.opened import open_store
from firmware import VERSION

PAGE = ROOT / "docs" / "collect.md"
BEGIN = "<!-- measured: written by make collect, do not edit -->"
END = "<!-- end of measured -->"
NODES = 200
# An hour in two minutes.
QUICKER = 30.0
GROWTH_MAX_MB = 3.0
AWAY_S, STEPPED_S = 150.0, 20.0
_DIRECT, _THROUGH, _LONG, _AWAY = 50_000, 50_000, 100_000, 30_000
_MB = 1024 * 1024
HEADS = {
    "rates": f"### Readings of {NODES} nodes with three values each, in a second",
    "memory": "### Memory of the process, resident, in MB",
    "hour": "### Memory of the process over an hour of a fleet's traffic, resident, in MB",
    "faults": "### What happened while readings came, 300 to 1000 in a second, "
    "and the account after it",
    "long": "### Minutes without a store, and a clock that is set: 300 readings in a second",
}
_console = Console(stderr=True)


@dataclass(frozen=True)
class Rates:
    """Readings in a second. at_once: how many of them a commit has; 0: as they come by Mosquitto.
    again: of the same readings once more, all of which are there."""

    store: str
    at_once: int
    new: float
    again: float | None


@dataclass(frozen=True)
class Memory:
    """Resident, in MB. what: what the process was doing."""

    what: str
    readings: int
    first_mb: float
    most_mb: float
    last_mb: float


@dataclass(frozen=True)
class Happened:
    """what: to a collector. store: into which."""

    what: str
    store: str
    account: Account


class Stores:
    """New ones, of each kind that is there."""

    def __init__(self, folder: Path, cluster: PostgreSql | None) -> None:
        self._folder = folder
        self.cluster = cluster
        self.names = ["SQLite", *(["PostgreSQL"] if cluster else [])]
        self._count = 0

    def new(self, name: str) -> str:
        """The address of an empty one."""
        if name == "PostgreSQL":
            assert self.cluster
            return self.cluster.new_database()
        self._count += 1
        return f"sqlite:///{self._folder}/readings{self._count}.db"


def messages(count: int) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of readings of NODES nodes, as many of each."""
    chance = random.Random(1)
    for number in range(count):
        told = {
            "boot": 1,
            "seq": number // NODES,
            "ts": 1_700_000_000 + number // NODES * 60,
            "temperature": round(chance.gauss(20, 3), 2),
            "humidity": round(chance.uniform(30, 70), 1),
            "pressure": round(chance.gauss(1013, 8), 1),
        }
        yield f"fieldpost/node-{number % NODES}/telemetry", json.dumps(told).encode()


def directly(stores: Stores) -> Iterator[Rates]:
    """Rows that are in memory, into each store."""
    reader = Reader("fieldpost")
    rows = [reader.read(Message(*one, time.time())) for one in messages(_DIRECT)]
    for name in stores.names:
        for at_once in (1000, 20):
            some = rows if at_once == 1000 else rows[: _DIRECT // 5]
            store = open_store(parse(stores.new(name)))
            taken = []
            for _ in range(2):
                begin = time.monotonic()
                for start in range(0, len(some), at_once):
                    store.write(some[start : start + at_once])
                taken.append(len(some) / (time.monotonic() - begin))
            store.close()
            yield Rates(name, at_once, *taken)


def published(broker: Broker, count: int) -> None:
    """All of them, acknowledged by the broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.connect(HOST, broker.port)
    client.loop_start()
    for topic, payload in messages(count):
        client.publish(topic, payload, 1)
        while len(client._out_messages) > 5000:
            time.sleep(0.01)
    while client._out_messages:
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()


def through_mosquitto(stores: Stores) -> Iterator[Rates]:
    """Readings that wait at the broker, from the first until the last is stored."""
    for name in stores.names:
        store = stores.new(name)
        with Broker("mosquitto", more=("max_queued_messages 0",)) as broker:
            with Collecting(broker, store) as first:
                first.says("storing into")
                first.terminate()
            published(broker, _THROUGH)
            with Collecting(broker, store, "--count", str(_THROUGH)) as second:
                second.says("connected to")
                begin = time.monotonic()
                psutil.Process(second.pid).wait(timeout=300)
                yield Rates(name, 0, _THROUGH / (time.monotonic() - begin), None)


def memory(stores: Stores) -> Iterator[Memory]:
    """While a long stream comes, and while many readings wait for a store that is away."""
    for name in stores.names:
        with Broker("mosquitto", more=("max_queued_messages 0",)) as broker:
            store = stores.new(name)
            with Collecting(broker, store) as one:
                one.says("storing into")
                yield _watched(
                    f"{name}, as fast as it takes them",
                    one,
                    _LONG,
                    lambda broker=broker: published(broker, _LONG),
                )
    store = stores.new("SQLite")
    with Broker("mosquitto", more=("max_queued_messages 0",)) as broker, ExitStack() as ends:
        one = ends.enter_context(Collecting(broker, store))
        one.says("storing into")
        ends.enter_context(collect_faults.away(store, None))
        yield _watched(
            "SQLite, held by another program",
            one,
            _AWAY,
            lambda: published(broker, _AWAY),
        )


def _watched(what: str, one: Collecting, count: int, publish: Callable[[], None]) -> Memory:
    process = psutil.Process(one.pid)
    sizes = [process.memory_info().rss / _MB]
    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.5)
        sizes.append(process.memory_info().rss / _MB)
    for _ in range(10):
        time.sleep(0.5)
        sizes.append(process.memory_info().rss / _MB)
    return Memory(what, count, sizes[0], max(sizes), sizes[-1])


def hours(stores: Stores) -> Iterator[tuple[str, collect_hour.Hour]]:
    """All that a fleet sends in an hour, into each store."""
    for name in stores.names:
        with Broker("mosquitto", more=LOSES_NOTHING) as broker:
            store = stores.new(name)
            with Collecting(broker, store) as one:
                one.says("storing into")
                yield name, collect_hour.watched(broker, store, one, NODES, QUICKER)


def happened(stores: Stores, kills: int) -> Iterator[Happened]:
    """All that a test does to collectors."""
    seed = random.SystemRandom().randrange(2**31)
    for name in stores.names:
        told: dict[str, Callable[[Broker, str], Account]] = {
            f"SIGKILL {kills} times, seed {seed}": lambda broker, store: (
                collect_faults.killed_often(broker, store, seed, kills)
            ),
            "the broker restarted 3 times": collect_faults.broker_restarted,
            "the store away for 20 s": lambda broker, store: collect_faults.store_away(
                broker, store, stores.cluster, 20.0
            ),
            "the disk full": (
                collect_faults.disk_full
                if name == "SQLite"
                else collect_faults.disk_of_postgresql_full
            ),
            "two collectors, one of them killed": collect_faults.two_collectors,
        }
        if name == "SQLite":
            told["**sabotaged**: acknowledged before the commit, SIGKILL 10 times"] = (
                lambda broker, store: collect_faults.killed_often(
                    broker, store, 1, 10, sabotaged=True
                )
            )
        for what, does in told.items():
            with Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as broker:
                yield Happened(what, name, does(broker, stores.new(name)))


def lasted(stores: Stores) -> list[Happened]:
    """What takes its time, in both stores at once."""
    told: dict[str, Callable[[Broker, str], Account]] = {
        f"the store away for {AWAY_S:.0f} s": lambda broker, store: collect_faults.store_away(
            broker, store, stores.cluster, AWAY_S
        ),
        f"the clock set by years for {STEPPED_S:.0f} s, and SIGKILL": lambda broker, store: (
            collect_faults.clock_stepped(broker, store, STEPPED_S)
        ),
    }

    def one(name: str, what: str) -> Happened:
        with Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as broker:
            return Happened(what, name, told[what](broker, stores.new(name)))

    found: list[Happened] = []
    for what in told:
        with ThreadPoolExecutor() as pool:
            found += pool.map(lambda name, what=what: one(name, what), stores.names)
    return found


def rates_table(rates: Sequence[Rates]) -> str:
    """As Markdown."""
    return table(
        ["store", "in a commit", "new", "again, all there already"],
        [
            [
                one.store,
                str(one.at_once) if one.at_once else "as they come, from Mosquitto",
                f"{one.new:,.0f}",
                "-" if one.again is None else f"{one.again:,.0f}",
            ]
            for one in rates
        ],
    )


def memory_table(sizes: Sequence[Memory]) -> str:
    """As Markdown."""
    return table(
        ["while", "readings", "at the start", "at most", "at the end"],
        [
            [
                one.what,
                f"{one.readings:,}",
                *(f"{size:.0f}" for size in (one.first_mb, one.most_mb, one.last_mb)),
            ]
            for one in sizes
        ],
    )


def hour_table(found: Sequence[tuple[str, collect_hour.Hour]]) -> str:
    """As Markdown, with what it was made of."""
    _, first = found[0]
    sent = first.published
    return (
        f"{NODES} nodes, each with a reading in {collect_hour.SAMPLE_S} s: "
        f"{sent.readings:,} readings, {sent.events:,} events, {sent.conflicts} conflicts and "
        f"{sent.rejected} messages that can't be read, "
        f"{collect_hour.HOUR_S / first.took_s:.0f} times as quick as they would come.\n\n"
        + table(
            ["store", "after 6 minutes", "after 30", "at the end", "at most", "all stored"],
            [
                [
                    name,
                    *(
                        f"{size:.1f}"
                        for size in (one.early_mb, one.half_mb, one.last_mb, one.most_mb)
                    ),
                    "yes" if one.stored == one.published else "no",
                ]
                for name, one in found
            ],
        )
    )


def what_is_wrong_with_hours(found: Sequence[tuple[str, collect_hour.Hour]]) -> list[str]:
    """What no hour may come to, in words; empty if all is well."""
    wrong = []
    for name, one in found:
        if one.stored != one.published:
            wrong.append(f"an hour, {name}: {one.published} became {one.stored}")
        if one.growth_mb > GROWTH_MAX_MB:
            wrong.append(
                f"an hour, {name}: memory grew by {one.growth_mb:.1f} MB in its last half"
            )
    return wrong


def faults_table(cases: Sequence[Happened]) -> str:
    """As Markdown."""
    return table(
        ["what", "store", "published", "stored", "lost", "twice, or never published"],
        [
            [
                one.what,
                one.store,
                f"{one.account.published:,}",
                f"{one.account.stored:,}",
                str(one.account.lost),
                str(one.account.strange + one.account.conflicts),
            ]
            for one in cases
        ],
    )


def page(parts: Mapping[str, str]) -> str:
    """All that there is of the parts, as Markdown."""
    return "\n".join(f"\n{head}\n{parts[name]}" for name, head in HEADS.items() if name in parts)


def parts_of(text: str) -> dict[str, str]:
    """Those of a page that was written before."""
    written = text.partition(BEGIN)[2].partition(END)[0]
    found = {}
    for name, head in HEADS.items():
        after = written.partition(f"\n{head}\n")[2].partition("\n### ")[0]
        if after:
            found[name] = after.rstrip("\n") + "\n"
    return found


def what_is_wrong(cases: Sequence[Happened]) -> list[str]:
    """What no run may come to, in words; empty if all is well."""
    wrong = []
    for one in cases:
        if "sabotaged" in one.what:
            if not one.account.lost:
                wrong.append("the sabotaged one lost nothing: this could find nothing")
        elif not one.account.is_exact:
            wrong.append(f"{one.what}, {one.store}: {one.account}")
    return wrong


def _versions(stores: Stores, broker: str) -> str:
    found = [f"Fieldpost {VERSION}", broker, f"SQLite {sqlite3.sqlite_version}"]
    if stores.cluster:
        found.append(stores.cluster.version())
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    busy = "nothing else ran"
    if load >= 0.3:
        busy = f"other work ran, {load:.1f} processes for each core"
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return (
        f"{today}: {', '.join(found)}, Python {platform.python_version()}; "
        f"{os.cpu_count()} cores and one disk for all of them; {busy}."
    )


def measure(
    only: Annotated[
        Literal["rates", "memory", "hour", "long", "faults"] | None,
        typer.Option(help="Measure this alone."),
    ] = None,
    document: Annotated[bool, typer.Option(help="Write into docs/collect.md.")] = True,
    kills: Annotated[int, typer.Option(min=1, help="SIGKILLs into each store.")] = 100,
) -> None:
    """Measure the collector, break it, and check that each reading is there once."""
    if brokers.find_mosquitto() is None:
        _console.print("This needs Mosquitto: apt install mosquitto.")
        raise typer.Exit(2)
    parts = parts_of(PAGE.read_text("utf-8")) if only else {}
    wrong: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="fieldpost-collect-", dir="/var/tmp"))
    try:
        with postgresql() as cluster, Broker("mosquitto") as broker:
            if cluster is None:
                _console.print("This needs PostgreSQL: apt install postgresql.")
                raise typer.Exit(2)
            stores = Stores(folder, cluster)
            versions = _versions(stores, broker.name)
            broker.stop()
            if only in (None, "rates"):
                found = rates_table([*directly(stores), *through_mosquitto(stores)])
                parts["rates"] = f"{versions}\n\n{found}\n"
            if only in (None, "memory"):
                parts["memory"] = f"{versions}\n\n{memory_table(list(memory(stores)))}\n"
            if only in (None, "hour"):
                seen = list(hours(stores))
                wrong += what_is_wrong_with_hours(seen)
                parts["hour"] = f"{versions}\n\n{hour_table(seen)}\n"
            if only in (None, "long"):
                late = lasted(stores)
                wrong += what_is_wrong(late)
                parts["long"] = f"{versions}\n\n{faults_table(late)}\n"
            if only in (None, "faults"):
                cases = list(happened(stores, kills))
                wrong += what_is_wrong(cases)
                parts["faults"] = f"{versions}\n\n{faults_table(cases)}\n"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = page(parts)
    print(text)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        raise typer.Exit(1)
    if document:
        write_part(PAGE, BEGIN, END, text)


if __name__ == "__main__":
    typer.run(measure)
