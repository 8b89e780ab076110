"""A stand-in for a node that takes updates: honest, over a real broker, and quick to decide.

It does what docs/updates.md says that a node does, with bytes in the place of flash.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError
from fieldpost.keys.public import PublicKey
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection, Lost

PIECE_BYTES = 2048
IN_FLIGHT = 4


@dataclass(frozen=True)
class Ways:
    """verdict: what becomes of a trial, "done" or "back". asleep_s: how long it sleeps between its
    wakes; 0: it is always awake. wake_bytes: what it fetches in one wake. is_deaf: it takes no
    offer. loses: every so many-th piece gets lost. keys: by which id it tells them."""

    verdict: str = "done"
    asleep_s: float = 0.0
    wake_bytes: int = 1 << 30
    is_deaf: bool = False
    loses: int = 0
    platform: str = "rp2"
    mpy: int = 6
    micropython: tuple[int, ...] = (1, 25, 0)
    counter: int = 0
    trial_s: float = 0.1
    keys: tuple[str, ...] = ()


class StandInNode:
    """Runs from entering `with` until leaving it. `fetched`: the whole packs that it has had."""

    def __init__(self, broker: str, name: str, key: PublicKey, ways: Ways | None = None) -> None:
        self.name = name
        self.ways = ways or Ways()
        self.fetched: list[bytes] = []
        self.pieces = 0
        self.offers = 0
        self._key = key
        self._root = f"fieldpost/{name}/"
        self._address = mqtt_url.parse(broker)
        self._arrived: queue.Queue[MQTTMessage] = queue.Queue()
        self._ended = threading.Event()
        self._judged: set[tuple[str, int]] = set()
        self._installed = {"version": "0.1.0", "counter": self.ways.counter, "sha": "0" * 16}
        self._staged = bytearray()
        self._offer: dict[str, Any] | None = None
        self._trial: dict[str, Any] | None = None
        self._is_on_trial = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_there = threading.Event()

    def __enter__(self) -> StandInNode:
        self._thread.start()
        assert self._is_there.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._wake()
            except CommandError:
                self._ended.wait(0.1)  # the broker is away
            if self.ways.asleep_s:
                self._ended.wait(self.ways.asleep_s)

    def _wake(self) -> None:
        client = f"stand-in-{self.name}"
        self._connection = Connection(
            self._address,
            on_message=self._arrived.put,
            client_id=client,
            clean=False,
            retry_s=None,
        )
        self._connection.open()
        self._connection.subscribe(self._root + "update/offer", 1)
        self._connection.subscribe(self._root + "update/piece", 0)
        self._tell("status", {"state": "online"}, is_kept=True)
        if not self._is_there.is_set():
            self._report("idle")
            self._is_there.set()
        if self._is_on_trial:
            self._decide()
        had = len(self._staged)
        end = time.monotonic() + 0.3
        try:
            while not self._ended.is_set():
                if self._offer is not None:
                    self._fetch()
                    if len(self._staged) - had >= self.ways.wake_bytes:
                        break
                else:
                    self._hear(0.05)
                if self._connection.is_lost():
                    raise Lost("the broker is away")
                if self.ways.asleep_s and self._offer is None and time.monotonic() > end:
                    break
            if self.ways.asleep_s:
                until = time.time() + self.ways.asleep_s
                self._tell("status", {"state": "asleep", "until": round(until, 1)}, is_kept=True)
        finally:
            self._connection.close()

    def _hear(self, limit_s: float) -> bool:
        try:
            message = self._arrived.get(timeout=limit_s)
        except queue.Empty:
            return False
        if message.topic.endswith("offer"):
            self._take(bytes(message.payload))
        elif self._offer and message.topic.endswith("piece"):
            self._piece(bytes(message.payload))
        return True

    def _take(self, offer: bytes) -> None:
        if not offer:
            self._offer = None
            self._staged.clear()
            return
        self.offers += 1
        if self.ways.is_deaf:
            return
        assert offer[:4] == b"FPU1"
        attempt, signature, manifest = offer[4], offer[5:389], offer[389:]
        told = json.loads(manifest)
        about = {"version": told["version"], "counter": told["counter"], "attempt": attempt}
        about["sha"] = told["sha256"][:16]
        if (about["sha"], attempt) in self._judged:
            return
        if self._offer and self._offer["about"] == about:
            return
        self._offer = {"about": about, "told": told}
        if not self._key.verifies(manifest, signature):
            self._judge("refused", "the signature is not by a key that this node knows")
        elif told["counter"] <= self._installed["counter"]:
            self._judge("refused", "its counter is not above that of what runs")
        elif told["platform"] != self.ways.platform:
            self._judge("refused", f"it is for {told['platform']}")
        else:
            self._report("fetching")

    def _fetch(self) -> None:
        assert self._offer
        told = self._offer["told"]
        if len(self._staged) == told["size"]:
            data = bytes(self._staged)
            if hashlib.sha256(data).hexdigest() != told["sha256"]:
                self._judge("failed", "the hash is wrong")
                return
            self.fetched.append(data)
            self._is_on_trial = True
            self._report("trial")
            if not self.ways.asleep_s:
                self._ended.wait(self.ways.trial_s)
                self._decide()
            else:
                # It decides at its next wake.
                self._staged.clear()
                self._trial, self._offer = self._offer, None
            return
        at = []
        for n in range(IN_FLIGHT):
            begin = len(self._staged) + n * PIECE_BYTES
            if begin < told["size"]:
                at.append([begin, min(PIECE_BYTES, told["size"] - begin)])
        self._tell("update/ask", {"sha": self._offer["about"]["sha"], "at": at})
        end = time.monotonic() + 0.5
        had = len(self._staged)
        while (
            self._offer
            and time.monotonic() < end
            and len(self._staged) < had + sum(size for _, size in at)
        ):
            self._hear(max(end - time.monotonic(), 0))

    def _piece(self, message: bytes) -> None:
        assert self._offer
        self.pieces += 1
        if self.ways.loses and self.pieces % self.ways.loses == 0:
            return
        if message[:8].hex() != self._offer["about"]["sha"]:
            return
        if int.from_bytes(message[8:12], "little") == len(self._staged):
            self._staged += message[12:]

    def _decide(self) -> None:
        self._is_on_trial = False
        if self._offer is None:
            self._offer = self._trial
        assert self._offer
        about = self._offer["about"]
        if self.ways.verdict == "done":
            self._judged.add((about["sha"], about["attempt"]))
            self._installed = {key: about[key] for key in ("version", "counter", "sha")}
            self._report("done")
            self._offer = None
            self._staged.clear()
        else:
            self._judge("back", "three starts without a reading delivered")

    def _judge(self, state: str, error: str) -> None:
        assert self._offer
        about = self._offer["about"]
        self._judged.add((about["sha"], about["attempt"]))
        self._report(state, error)
        self._offer = None
        self._staged.clear()

    def _report(self, state: str, error: str = "") -> None:
        told: dict[str, Any] = {"state": state, "installed": self._installed}
        if self._offer:
            told |= {"offer": self._offer["about"], "have": len(self._staged)}
            told["of"] = self._offer["told"]["size"]
        if error:
            told["error"] = error
        told |= {"platform": self.ways.platform, "mpy": self.ways.mpy}
        told["micropython"] = list(self.ways.micropython)
        if self.ways.keys:
            told["keys"] = self.ways.keys
        self._tell("update", told, is_kept=True)

    def _tell(self, topic: str, told: dict[str, Any], *, is_kept: bool = False) -> None:
        self._connection.publish(
            self._root + topic, json.dumps(told).encode(), qos=int(is_kept), retain=is_kept
        )
