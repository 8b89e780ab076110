"""Updates over the air as the world offers them, and what must be true of a node that takes them.

What it starts for good is always a firmware that has proven itself: the first one, or a good one.
It never says that a bad one is proven, nor that it runs what it does not; what it refuses or goes
back from has a reason. And once nothing goes wrong any more, it comes to run the newest good one.

A pack here is a real one, of modules that nobody runs: which of the world's firmwares it is, and
so how it behaves, is told by its hash.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from fakes.conditions import Conditions, Cut
from fakes.releases import SignedPack, choose, keys_file, least_board
from fieldpost.deploy import pack
from firmware.update import place, trial
from firmware.update.report import board_of
from simulation.endings import Bitten, Violation
from simulation.faults import End, kind

if TYPE_CHECKING:
    from fakes.broker import Record
    from simulation.machine import Machine
    from simulation.run import Run

GOOD = "good"
# How a firmware may be bad: it ends at its import; it hangs there; it never joins its network; it
# connects, and nothing that it sends is ever acknowledged.
BAD = ("crashes", "hangs", "deaf", "mute")
_PACK, _TRIAL = "firmware.pack", ".deploy/trial"
_MODULES = 6
_CAUSES = {"deep-sleep": 4, "watchdog": 3}
_AGAIN_US = 30 * 60_000_000
_DECIDED_US = 60_000_000
_ANSWER_MS = 30
# Trials, a fetch, and what a sleeper's deliveries take.
SETTLE_S = 4 * 3600
_CONNACK_BYTES = 4
# Of a trial: None, as lib/pack_trial.py has them, or as a test would have them.
STARTS: str | None = None


class Release(NamedTuple):
    """One that somebody offers. behaviour: GOOD, or one of BAD. may_run: whether the node takes
    it. torn: other bytes are sent than were signed."""

    counter: int
    data: bytes
    behaviour: str
    may_run: bool = True
    torn: bool = False

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Updates:
    """The updates of one machine: its computer's side, its boot, and what is checked."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._rng = random.Random(f"updates {machine.name} {machine.run.scenario.seed}")
        self._modules = [self._module() for _ in range(_MODULES)]
        first = Release(0, self._pack(), GOOD)
        self._by_sha = {first.sha: first}
        self._newest = first
        self._counter = 0
        self._attempt = 0
        self._offered: Release | None = None
        self._decided = False
        self._offered_us = 0
        self.serves = True
        self.path, self.mounted = "/" + _PACK, "/.pack"
        self.counts: Counter[str] = Counter()
        self._watchdog_ms = 0
        machine.flash.files[_PACK] = first.data
        machine.flash.files["update.keys"] = keys_file()
        self._topic = f"fieldpost/{machine.name}/update"
        broker = machine.run.broker
        broker.watch(f"{self._topic}/ask", self._asked)
        broker.watch(self._topic, self._told)

    # -- what is offered -----------------------------------------------------------------------

    def offer(self, behaviour: str = GOOD, **given: Any) -> None:
        """A release of one changed module; given: `signer`, `counter`, `platform` as they should
        not be, or `torn`."""
        torn = given.pop("torn", False)
        self._modules[self._rng.randrange(_MODULES)] = self._module()
        self._counter += 1
        counter = given.pop("counter", self._counter)
        signer = given.pop("signer", 0)
        may_run = not (given or signer) and counter == self._counter
        release = Release(counter, self._pack(), behaviour, may_run, torn)
        self._by_sha[release.sha] = release
        if behaviour == GOOD and may_run and not torn:
            self._newest = release
        self._publish(release, signer, given)

    def withdraw(self) -> None:
        """Take the offer back."""
        self._offered = None
        self._send("offer", b"", 1, True)

    def offer_newest(self) -> None:
        """The newest good one, once more."""
        self._attempt = (self._attempt + 1) % 256
        self._publish(self._newest, 0, {})

    def _publish(self, release: Release, signer: int, changes: dict[str, Any]) -> None:
        board = least_board(board_of(SimpleNamespace(version=lambda: "simulated")))
        signed = SignedPack(release.data, release.counter, board, signer, **changes)
        self._offered, self._decided = release, False
        self._offered_us = self._machine.world.now_us
        self.counts["offers"] += 1
        self._send("offer", signed.payload(self._attempt), 1, True)

    def _asked(self, record: "Record") -> None:
        """The node asks for pieces: whoever offered has them, and answers after a moment."""
        told = json.loads(record.payload)
        release = self._offered
        if len(told["at"]) > 4 or any(not 0 < size <= 2048 for _, size in told["at"]):
            self._fail(f"it asks for {told}")
        if not self.serves or release is None or not release.sha.startswith(told["sha"]):
            return
        for at, size in told["at"]:
            data = release.data[at : at + size]
            if len(data) != size:
                self._fail(f"it asks for {size} bytes at {at}, beyond the end")
            if release.torn:
                data = data[:-1] + bytes((data[-1] ^ 0x20,))
            piece = bytes.fromhex(told["sha"]) + at.to_bytes(4, "little") + data
            self._machine.world.after_ms(_ANSWER_MS, self._send, "piece", piece, 0, False)

    def _send(self, name: str, payload: bytes, qos: int, retain: bool) -> None:
        broker = self._machine.run.broker
        if broker.listener is not None and broker.listener.state == "up":
            broker.publish(f"{self._topic}/{name}", payload, qos, retain)
        elif retain:
            # Whoever offers keeps at it until a broker has it.
            self._machine.world.after_ms(60_000, self._send, name, payload, qos, retain)

    # -- how the board starts ------------------------------------------------------------------

    def start(self, cause: str) -> None:
        """What boot.py does, then what becomes of the firmware that it found."""
        flash = self._machine.flash
        self.path, self.mounted = "/" + _PACK, "/.pack"
        self._watchdog_ms = 0
        if _TRIAL in flash.files:
            self.path, self.mounted = self._choose(cause)
        running = self.running
        if running is None:
            self._fail(f"there is no firmware at {self.path}")
        if not self.on_trial and running.behaviour != GOOD:
            self._fail(f"it starts a firmware for good that {running.behaviour}")
        if not running.may_run or running.torn:
            self._fail("it starts what it must refuse")
        if running.behaviour in ("crashes", "hangs"):
            if not self._watchdog_ms:
                self._fail("nothing ends a start that hangs")
            self._machine.world.sleep_ms(self._watchdog_ms)
            raise Bitten

    @property
    def running(self) -> Release | None:
        """The release that this start runs."""
        data = self._machine.flash.files.get(self.path.strip("/"))
        return None if data is None else self._by_sha.get(hashlib.sha256(data).hexdigest())

    @property
    def on_trial(self) -> bool:
        """Whether boot.py chose it to be tried."""
        return self.mounted == "/.trial"

    def _choose(self, cause: str) -> tuple[str, str]:
        return choose(self._machine.flash, _CAUSES.get(cause, 1), self._arm, STARTS)

    def _arm(self, timeout: int) -> None:
        self._watchdog_ms = timeout

    def built(self, node: Any) -> None:
        """The node is built: a firmware that never joins does so from here on."""
        running = self.running
        if running and running.behaviour == "deaf":
            node.link.station.is_up = node.link.station.step = lambda: False

    def conditions(self, conditions: Conditions) -> Conditions:
        """What a connection meets: of a firmware that is never acknowledged."""
        running = self.running
        if running and running.behaviour == "mute":
            return replace(conditions, down=Cut(_CONNACK_BYTES, "silence"))
        return conditions

    # -- what it tells, and the end ------------------------------------------------------------

    def _told(self, record: "Record") -> None:
        told = json.loads(record.payload)
        state, offer = told["state"], told.get("offer", {})
        if record.dup:
            return
        self.counts[state] += 1
        sha = told["installed"].get("sha")
        good = self._machine.flash.files[_PACK]
        if sha and not self.on_trial and sha != hashlib.sha256(good).hexdigest()[:16]:
            self._fail(f"it says {told}, and has another firmware")
        release = next(
            (one for full, one in self._by_sha.items() if full.startswith(offer.get("sha", "-"))),
            None,
        )
        if state == "done" and (release is None or release.behaviour != GOOD):
            self._fail(f"it says {told}, of a firmware that cannot have proven itself")
        if state in ("refused", "failed", "back") and not told.get("error"):
            self._fail(f"it says {told}, and not why")
        if state == "refused" and release and release.may_run:
            # Whether there is room is the flash's matter, and it may have run a newer one since.
            known = ("bytes of flash", "flash refuses", "counter")
            if not any(words in told["error"] for words in known):
                self._fail(f"it refuses what it should take: {told}")
        if state in ("done", "refused", "failed", "back"):
            self._decided = True

    def satisfied(self) -> bool:
        """Asked while nothing goes wrong any more: it runs the newest good one, and has said so;
        if not yet, that is offered now and then."""
        world, flash = self._machine.world, self._machine.flash
        self.serves = True
        newest = self._newest
        if flash.files.get(_PACK) == newest.data and not self.on_trial:
            return _TRIAL not in flash.files
        waited_us = world.now_us - self._offered_us
        is_over = self._decided and waited_us > _DECIDED_US
        is_late = waited_us > _AGAIN_US and not self.on_trial
        if self._offered is not newest or is_over or is_late:
            self.offer_newest()
        return False

    def _module(self) -> bytes:
        return b"M\x06" + self._rng.randbytes(self._rng.randrange(300, 1500))

    def _pack(self) -> bytes:
        return pack.make({f"firmware/m{n}.mpy": body for n, body in enumerate(self._modules)})

    def _fail(self, what: str) -> Any:
        raise Violation(f"{self._machine.name}: update: {what}")


@contextmanager
def stand_in_place(run: "Run") -> Iterator[None]:
    """Each node asks which pack it runs: of the machine whose turn it is. And how long a firmware
    is waited for that never joins is an hour here, or 20 wakes, where it is a day or a hundred."""

    def here() -> Updates:
        machines = run.machines
        if len(machines) > 1:
            machines = [one for one in machines if one.life is run.world.current]
        assert machines[0].updates
        return machines[0].updates

    def moved(path: str) -> None:
        here().path = path
        here().mounted = "/.pack"

    with (
        mock.patch.multiple(trial, _ALONE_MAX_S=3600, _LONELY_MAX=20),
        mock.patch.multiple(
            place,
            running_pack=lambda: here().path,
            is_on_trial=lambda: here().on_trial,
            moved=moved,
        ),
    ):
        yield


# -- what is done to a node --------------------------------------------------------------------

_MOMENT = (1.0, 2.0)
_LONG = (600.0, 86_400.0)


def _offers(behaviour: str, **given: Any) -> Any:
    def begin(_run: "Run", machine: "Machine") -> None:
        machine.updates.offer(behaviour, **given)

    return begin


kind("updates", "update: good", _MOMENT)(_offers(GOOD))
kind("updates", "update: crashes at its import", _MOMENT)(_offers("crashes"))
kind("updates", "update: hangs", _MOMENT)(_offers("hangs"))
kind("updates", "update: never joins", _MOMENT)(_offers("deaf"))
kind("updates", "update: is never acknowledged", _MOMENT)(_offers("mute"))
kind("updates", "update: signed by another", _MOMENT)(_offers(GOOD, signer=1))
kind("updates", "update: older than what ran", _MOMENT)(_offers(GOOD, counter=0))
kind("updates", "update: for another board", _MOMENT)(_offers(GOOD, platform="samd"))
kind("updates", "update: torn pieces", _MOMENT)(_offers(GOOD, torn=True))


@kind("updates", "update: nobody has the pieces", _LONG)
def _nobody(_run: "Run", machine: "Machine") -> End:
    updates = machine.updates
    updates.offer(GOOD)
    updates.serves = False

    def end() -> None:
        updates.serves = True

    return end


@kind("updates", "update: another in the middle", _MOMENT)
def _another(run: "Run", machine: "Machine") -> None:
    machine.updates.offer(machine.rng.choice((GOOD, *BAD)))
    run.world.after_ms(machine.rng.randrange(100, 4000), machine.updates.offer, GOOD)


@kind("updates", "update: taken back in the middle", _MOMENT)
def _withdrawn(run: "Run", machine: "Machine") -> None:
    machine.updates.offer(GOOD)
    run.world.after_ms(machine.rng.randrange(100, 4000), machine.updates.withdraw)
