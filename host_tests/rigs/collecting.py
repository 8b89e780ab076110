"""`fieldpost collect` as a process that is killed, a stream of readings that it is to store, and
the account of both: what the broker has acknowledged to the stream must be in the store, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from fieldpost.mqtt.brokers import HOST
from fieldpost.paths import ROOT
from fieldpost.store import address
from fieldpost.store.opened import open_store

# What a Mosquitto must be set to that is to lose nothing: docs/collect.md.
LOSES_NOTHING = ("max_queued_messages 100000",)
_SABOTAGED = Path(__file__).with_name("collect_sabotaged.py")
_STEPPED = Path(__file__).with_name("collect_stepped.py")
_START_S = 30.0
_SETTLE_S = 60.0
_LOOK_S = 0.1


class Readable(Protocol):
    """What a collector reads from. url: for `--from`."""

    @property
    def url(self) -> str: ...


class Engine(Readable, Protocol):
    """What readings go through. port: of MQTT on loopback."""

    @property
    def port(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Publishes(Protocol):
    """Nodes. published: the keys of the readings that are to be in the store."""

    published: set[tuple[str, int, int]]


class Stream:
    """Publishes readings of some nodes with QoS 1, in order, until `end`."""

    def __init__(self, broker: Engine, rate: float = 300.0, nodes: int = 5) -> None:
        self._rate = rate
        self._nodes = [f"node-{number}" for number in range(nodes)]
        self.published: set[tuple[str, int, int]] = set()
        self._end = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="nodes")
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, broker.port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        seq = 0
        begin = time.monotonic()
        while not self._end.is_set():
            for node in self._nodes:
                told = {"boot": 1, "seq": seq, "ts": 1_700_000_000 + seq, "temperature": seq / 8}
                self._client.publish(f"fieldpost/{node}/telemetry", json.dumps(told), 1)
                self.published.add((node, 1, seq))
            seq += 1
            ahead_s = begin + seq * len(self._nodes) / self._rate - time.monotonic()
            if ahead_s > 0:
                self._end.wait(ahead_s)

    def abandon(self) -> None:
        """Publish no more, whatever became of it."""
        self._end.set()

    def end(self) -> None:
        """Publish no more, and wait until the broker has acknowledged all."""
        self._end.set()
        self._thread.join(10)
        end = time.monotonic() + _SETTLE_S
        while self._client._out_messages and time.monotonic() < end:
            time.sleep(_LOOK_S)
        left = len(self._client._out_messages)
        self._client.disconnect()
        self._client.loop_stop()
        assert not left, f"{left} readings never came to the broker"


class Collecting:
    """The command, as a process. `lines`: what it has said. sabotaged: it acknowledges before the
    commit. stepped: its machine's clock is set again and again."""

    def __init__(
        self,
        broker: Readable,
        store: str,
        *more: str,
        sabotaged: bool = False,
        stepped: bool = False,
    ) -> None:
        start = ["-m", "fieldpost"]
        if sabotaged or stepped:
            start = [str(_SABOTAGED if sabotaged else _STEPPED)]
        words = [*start, "collect", "--store", store, "--from", broker.url, *more]
        self._process = subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.lines: list[str] = []
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            with self._heard:
                self.lines.append(line.rstrip())
                self._heard.notify_all()

    def says(self, words: str, limit_s: float = _START_S) -> None:
        """Wait until it has."""

        def said() -> bool:
            return any(words in one for one in self.lines)

        with self._heard:
            assert self._heard.wait_for(said, limit_s), (words, self.lines)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def limit_files(self, size_bytes: int | None) -> None:
        """No file of it may grow beyond that, as on a full disk; None: any more."""
        import resource

        size = resource.RLIM_INFINITY if size_bytes is None else size_bytes
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)

    def wait(self, limit_s: float = 60.0) -> int:
        """Until it ends by itself; its status."""
        status = self._process.wait(limit_s)
        self._reader.join(5)
        return status

    def terminate(self) -> int:
        """SIGTERM; its status."""
        self._process.terminate()
        status = self._process.wait(40)
        self._reader.join(5)
        return status


@dataclass(frozen=True)
class Account:
    """Of a store, against what was published."""

    published: int
    stored: int
    lost: int
    strange: int
    conflicts: int

    @property
    def is_exact(self) -> bool:
        """Each once, and nothing else."""
        return (self.lost, self.strange, self.conflicts) == (0, 0, 0) and (
            self.stored == self.published
        )


def account(store: str, stream: Publishes) -> Account:
    """What is there now."""
    opened = open_store(address.parse(store))
    try:
        with opened.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT node, boot, seq FROM readings").all()
            conflicts = connection.exec_driver_sql("SELECT count(*) FROM conflicts").scalar()
    finally:
        opened.close()
    keys = {(node, boot, seq) for node, boot, seq in rows}
    return Account(
        published=len(stream.published),
        stored=len(rows),
        lost=len(stream.published - keys),
        strange=len(keys - stream.published),
        conflicts=int(conflicts or 0),
    )


def settled(store: str, stream: Publishes, limit_s: float = _SETTLE_S) -> Account:
    """The account when nothing is missing any more, or when for some seconds nothing came."""
    end = time.monotonic() + limit_s
    now = account(store, stream)
    since = time.monotonic()
    while now.lost and time.monotonic() < end and time.monotonic() - since < 4:
        time.sleep(_LOOK_S)
        before, now = now, account(store, stream)
        if now.stored != before.stored:
            since = time.monotonic()
    return now
