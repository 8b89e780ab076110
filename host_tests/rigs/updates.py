"""A node's updates over the air, start after start, on a flash in memory; and the computer that
signs, offers and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.clock import FakeTime
from fakes.flash import FakeFlash, Operation
from fakes.flash_file import PowerCut
from fakes.releases import SignedPack, choose, keys_file, least_board
from fieldpost.deploy import pack
from firmware.clock import Clock
from firmware.update import place
from firmware.update.doorway import Doorway
from firmware.update.report import board_of

ROOT = b"fieldpost/n/"
BOARD = SimpleNamespace(version=lambda: "RP2040 MicroPython 1.25.0")
OFFER, PIECE, ASK, TOLD = (ROOT + b"update" + end for end in (b"/offer", b"/piece", b"/ask", b""))
TRIAL, FAILED = ".deploy/trial", ".deploy/failed"
POWER_ON, DEEP_SLEEP = 1, 4
# What a chip's program begins with.
PROGRAM = b"\xe9\6\2\x2f"


def modules(mark: str, **more: str) -> dict[str, bytes]:
    """Of a firmware in which one module bears the mark, and others are as they were."""
    found = {f"firmware/same_{n}.mpy": b"M\x06" + bytes([n]) * 3000 for n in range(4)}
    found["firmware/app.mpy"] = b"M\x06" + mark.encode() * 700
    return found | {path: text.encode() for path, text in more.items()}


GOOD = pack.make(modules("good new"))


class Release(SignedPack):
    """For the board here. changes: to its manifest; None: that key is left out."""

    def __init__(
        self, data: bytes, counter: int = 17, signer: int = 0, attempt: int = 0, **changes: Any
    ) -> None:
        super().__init__(data, counter, least_board(board_of(BOARD)), signer, **changes)
        self.attempt = attempt

    @property
    def offer(self) -> bytes:
        return self.payload(self.attempt)


class FakeSlots:
    """An ESP32's two places for MicroPython, and its bootloader: as an emulated ESP32-C3 has them
    (host_tests/on_esp32/test_image_updates.py).

    `images`: what is in each. `state`: of the choice made last: "valid", "new", "pending" or
    "aborted". `operate`: called before each write of flash; it may end the power.
    """

    size = 64 * 1024

    def __init__(self, image: bytes) -> None:
        self.images = {"ota_0": bytearray(image), "ota_1": bytearray(self.size)}
        self.running, self.other = "ota_0", "ota_1"
        self.state = "valid"
        self.operate: Callable[[], None] = lambda: None

    def start(self) -> str:
        """What the bootloader does; how the program behaves that it starts."""
        if self.state == "pending":
            self.state = "aborted"
            self.running, self.other = self.other, self.running
        if self.state == "new":
            self.state = "pending"
            self.running, self.other = self.other, self.running
        text = bytes(self.images[self.running][4:12])
        kinds = ("good", "crash", "silent", "deaf")
        return next(name for name in kinds if text.startswith(name.encode()))

    def write(self, block: int, data: bytes) -> None:
        assert len(data) == 4096 and self._is_inside(block)
        self.operate()
        self.images[self.other][block * 4096 : block * 4096 + 4096] = data

    def read(self, block: int, data: bytearray) -> None:
        assert len(data) == 4096 and self._is_inside(block)
        data[:] = self.images[self.other][block * 4096 : block * 4096 + len(data)]

    def _is_inside(self, block: int) -> bool:
        return 0 <= block < self.size // 4096

    def choose(self) -> None:
        if self.images[self.other][:4] != PROGRAM:
            raise OSError(-5379, "ESP_ERR_OTA_VALIDATE_FAILED")
        self.operate()
        self.state = "new"

    def proven(self) -> None:
        self.operate()
        self.state = "valid"


class Restart(BaseException):
    """The node asked for it."""


class Session:
    """What a node publishes; the computer answers what it asks for, if it is there."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.wire = SimpleNamespace(is_open=lambda: True)
        self.refused: list[str] = []

    def subscribe(self, topic: bytes, qos: int = 1) -> None:
        if topic == OFFER and self._node.offered is not None:
            self._node.door.receive(topic, self._node.offered)

    def waits(self) -> bool:
        return False

    def publish(self, topic: bytes, text: bytes, retain: bool = False, qos: int = 0) -> None:
        if topic == TOLD:
            assert retain and qos == 1
            told = json.loads(text)
            if told["state"] not in ("fetching", "trial"):
                # Power may fail before the broker has it: then the next start tells it.
                noted = self._node.record.get("last", {"state": "idle"})
                assert noted == {name: told.get(name) for name in noted}, (
                    "what is told is on flash"
                )
            self._node.reports.append(told)
            return
        assert topic == ASK and not retain and not qos
        asked = json.loads(text)
        assert len(asked["at"]) <= 4 and all(size <= 2048 for _, size in asked["at"])
        self._node.asked += asked["at"]
        self._node.pieces += self._node.answer(asked["sha"], asked["at"])


class Node:
    """`packs`: how the firmware of each behaves, by what its app.mpy says: "good" delivers a
    reading; "crash" ends at once; "silent" runs, and nothing is ever acknowledged; "deaf" never
    joins. `answer`: what the computer sends for what is asked. sleeps: with a grid, a wake a step.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        sleeps: bool = False,
        keys: tuple[int, ...] = (0,),
        counter: int = 10,
        flash: FakeFlash | None = None,
        slots: FakeSlots | None = None,
    ) -> None:
        self.slots = slots
        self.board = BOARD
        if slots:
            self.board = SimpleNamespace(version=lambda: "ESP32-C3 1.27", slots=lambda: slots)
        self.flash = flash or FakeFlash(capacity_bytes=512 * 1024)
        self.flash.files["firmware.pack"] = pack.make(modules("good old"))
        self.flash.files["update.keys"] = keys_file(keys, counter)
        self.sleeps = sleeps
        self.offered: bytes | None = None
        self.release: Release | None = None
        self.answers = True
        self.reports: list[dict[str, Any]] = []
        self.asked: list[list[int]] = []
        self.pieces: list[bytes] = []
        self.lines: list[str] = []
        self.expected: list[int] = []
        self.time = FakeTime()
        self.starts = 0
        self.joins = True
        self.cause = POWER_ON
        self.restarts = 0
        self.deliveries = 0
        self.settings = {"outbox": {"flash_kib": 64}, "awake_limit_s": 15}
        self.settings_trial: Any = None
        self._place = ""
        self._path = ""
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(place, "running_pack", lambda: self._path)
        monkeypatch.setattr(place, "is_on_trial", lambda: self._place == "/.trial")
        monkeypatch.setattr(place, "moved", lambda path: setattr(self, "_path", path))

    # What the computer does ---------------------------------------------------------------------

    def offer(self, release: Release) -> Release:
        """Retained, and live if the node is connected."""
        self.release, self.offered = release, release.offer
        return release

    def answer(self, sha: str, at: list[list[int]]) -> list[bytes]:
        if not self.answers or not self.release or not self.release.sha.startswith(sha):
            return []
        start = bytes.fromhex(sha)
        return [
            start + offset.to_bytes(4, "little") + self.release.data[offset : offset + size]
            for offset, size in at
        ]

    # What the board does ------------------------------------------------------------------------

    def _choose(self) -> tuple[str, str]:
        """What boot.py does."""
        if TRIAL not in self.flash.files:
            return "/firmware.pack", "/.pack"
        return choose(self.flash, self.cause, lambda timeout_ms: None)

    def begin(self) -> str:
        """A start, as far as the firmware's first line; what kind of firmware it is."""
        self.starts += 1
        kind = self.slots.start() if self.slots else "good"
        if kind == "crash":
            return kind  # Before a line of Python.
        self.flash.open_files.clear()  # Whatever the start before had open is so no more.
        self._path, self._place = self._choose()
        data = self.flash.files[self._path.strip("/")]
        assert data[:4] == b"FPK1", "it starts a pack"
        if kind != "good":
            return kind
        kinds = ("good", "crash", "silent", "deaf")
        return next(name for name in kinds if b"M\x06" + name.encode() in data)

    def build(self) -> None:
        self.clock = Clock(self.time)
        self.door = Doorway(
            ROOT,
            self.board,
            self.settings,
            Session(self),
            self.clock,
            self.flash,
            self.lines.append,
        )
        self.trial = self.door.on_trial(self.settings_trial)
        delivery = SimpleNamespace(delivered=0)
        self.node = SimpleNamespace(
            outbox=SimpleNamespace(depth=0),
            uplink=SimpleNamespace(patience_ms=3_600_000, delivery=delivery),
            link=SimpleNamespace(is_up=False, station=SimpleNamespace(is_up=lambda: self.joins)),
            settings=self.settings,
            clock=self.clock,
            stay_awake_until_ms=0,
            identity=SimpleNamespace(expect=self.expected.append),
            trial=self.trial,
            may_restart=lambda: True,
            restart=self._restart,
        )
        if self.sleeps:
            self.node.grid = SimpleNamespace(failed=0)
            self.node.listened = [None, self.deliveries]

    def _restart(self) -> None:
        self.restarts += 1
        self.door.leave()
        raise Restart

    def step(self, advance_ms: int = 20) -> bool:
        """A step of a node that is connected."""
        while self.pieces and self.door._agent:
            self.door.receive(PIECE, self.pieces.pop(0))
        again = self.door.step(self.node)
        self.time.advance_ms(0 if again else advance_ms)
        return again

    def forbid_removal_of_open_files(self) -> None:
        """What is open littlefs writes on, though it was removed."""

        def decide(operation: Operation) -> None:
            is_open = any(file.path == operation.path for file in self.flash.open_files)
            assert operation.kind != "remove" or not is_open

        self.flash.decide = decide

    def session(self, until: Callable[[], object], limit: int = 4000, *, ms: int = 20) -> None:
        """Connected, until that is so."""
        self.door.connect()
        for _ in range(limit):
            if until():
                return
            self.step(ms)
        pytest.fail("\n".join([f"not within {limit} steps", *self.lines[-9:]]))

    def again(self, steps: int) -> None:
        """One more start, connected for so many steps."""
        self.begin()
        self.build()
        self.door.connect()
        for _ in range(steps):
            self.step()

    def until_restart(self) -> None:
        """One more start, connected until the firmware restarts the board."""
        with pytest.raises(Restart):
            self.begin()
            self.build()
            self.session(lambda: False)

    def live(self, until: Callable[[], object], starts: int = 12) -> None:
        """Start after start, as its firmware behaves; power comes back after a cut."""
        for _ in range(starts):
            try:
                kind = self.begin()
                if kind == "crash":
                    continue
                self.build()
                if self._is_over(kind, until):
                    return
            except Restart:
                continue
            except PowerCut:
                self._end()
                self.flash.power_on()
        pytest.fail("\n".join([f"not within {starts} starts", *self.lines[-9:]]))

    def _end(self) -> None:
        """Without power nothing goes on. Left to CPython, what was under way would be ended at
        some later moment, and would write to flash then."""
        agent = getattr(self, "door", None) and self.door._agent
        if agent:
            with suppress(PowerCut):
                agent._life.close()

    def _is_over(self, kind: str, until: Callable[[], object]) -> bool:
        is_up = kind != "deaf" and self.joins
        self.node.link.is_up = is_up and kind != "silent"
        self.node.link.station.is_up = lambda: is_up
        for _ in range(4000):
            if until():
                return True
            if self.trial and self.trial.is_open:
                if kind == "good" and is_up:
                    self.node.uplink.delivery.delivered = 1
                if self.trial.step(self.node):
                    self._restart()
                self.time.advance_ms(30_000)
            elif is_up:
                if not self.door.connections:
                    self.door.connect()
                self.step()
        return False

    # What is looked at --------------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.flash.files.get("update.json", b"{}"))

    @property
    def running(self) -> bytes:
        return self.flash.files["firmware.pack"]

    def staged(self) -> list[str]:
        return [name for name in self.flash.files if name.startswith(".deploy/")]

    def is_done(self) -> bool:
        """Whether an update has proven itself here, and the broker was told."""
        return bool(self.told("done")) and self.record.get("told", False)

    def told(self, state: str) -> list[dict[str, Any]]:
        return [one for one in self.reports if one["state"] == state]
