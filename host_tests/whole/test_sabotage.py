"""The net catches fish: each protection that is switched off is missed by the simulation."""

import re
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from firmware.config.change import Trial
from firmware.duty_cycle.alarms import Alarms
from firmware.duty_cycle.battery_policy import BatteryPolicy
from firmware.duty_cycle.cycle import DutyCycle
from firmware.net.mqtt_careful import Careful
from firmware.net.mqtt_session import Session
from firmware.readings import outbox
from firmware.readings.boot_count import Identity
from firmware.readings.delivery import Delivery
from firmware.remote import commands
from firmware.update import check, pack_target, signature
from firmware.update import trial as update_trial
from simulation import updates
from simulation.personalities import OBLIGING
from simulation.run import Failed, run

_HOURS = 6.0


def _no_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are taken from flash as they are."""

    def next_record(file: Any) -> bytes | None:
        head = file.read(6)
        if len(head) < 6:
            return None
        size, _ = struct.unpack("<HI", head)
        return file.read(size) or None

    monkeypatch.setattr(outbox.Outbox, "_next_record", staticmethod(next_record))


def _no_resending(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in flight when the link broke is taken for delivered."""
    monkeypatch.setattr(Delivery, "restart", lambda self: None)


def _no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement is waited for as long as it takes."""
    monkeypatch.setattr(Session, "_left_ms", lambda self: self.timeout_ms)


def _no_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packet ids go on after 65,535, as upstream's do."""

    def next_pid(session: Session) -> int:
        session.pid += 1
        return session.pid

    monkeypatch.setattr(Session, "_next_pid", next_pid)


def _no_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot number is read, and not counted."""
    init = Identity.__init__

    def uncounted(self: Identity, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        self.boot = 1

    monkeypatch.setattr(Identity, "__init__", uncounted)


def _no_seq(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot goes on after a deep sleep, and its readings count from 0 again."""
    keep = DutyCycle.keep
    monkeypatch.setattr(DutyCycle, "keep", lambda self: {**keep(self), "seq": 0})


def _no_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that strands the node stays."""
    monkeypatch.setattr(Trial, "failed", lambda self, why: None)


def _no_memory_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that comes again is done again."""
    monkeypatch.setattr(commands.Commands, "_note", lambda self, name: None)


def _no_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings wait for their batch, whatever they say."""
    monkeypatch.setattr(Alarms, "check", lambda self, fields: [])


def _no_sparing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that runs down is none of the node's business."""
    monkeypatch.setattr(BatteryPolicy, "stretch", lambda self, supply_mv: 1)
    monkeypatch.setattr(BatteryPolicy, "may_deliver", lambda self, supply_mv: True)


def _no_deadline_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any acknowledgement stands for those before it."""
    acknowledged = Session._acknowledged

    def of_any(self: Session, pid: int) -> None:
        acknowledged(self, pid)
        self._reading_since_ms = self._other_since_ms = self._heard_ms

    monkeypatch.setattr(Session, "_acknowledged", of_any)


def _no_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings ride with CONNECT, whatever became of those that did."""
    monkeypatch.setattr(Session, "early_state", lambda self: (0, 0, 0xFFFF))


def _no_proof_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One early packet that was taken stands for all that rode."""
    acknowledged = Session._acknowledged

    def of_any(self: Session, pid: int) -> None:
        acknowledged(self, pid)
        self.early_in_vain = False

    monkeypatch.setattr(Session, "_acknowledged", of_any)


def _no_leaving_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broker closes on is sent again with each connection."""
    monkeypatch.setattr(Careful, "_count", lambda self, name: 0)


def _no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an end all extras go at once again, so that none is found to be its cause."""
    monkeypatch.setattr(Careful, "holds", lambda self, flags, topic, body: False)


def _no_memory_of_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wake begins to find out anew what the broker closes on."""
    monkeypatch.setattr(Careful, "keep", lambda self: None)


def _no_second_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was on its way when the connection ended is taken for heard."""
    monkeypatch.setattr(commands.Commands, "tell_again", lambda self: None)


def _no_keeping_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is yet to be done and to be answered is forgotten with each deep sleep."""
    monkeypatch.setattr(commands.Commands, "keep", lambda self: True)


def _no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may publish may bring the node a firmware."""
    monkeypatch.setattr(signature, "is_signed", lambda *_: True)


def _no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that is older than what ran is taken."""
    reason = check.reason
    monkeypatch.setattr(
        check, "reason", lambda manifest, _counter, board: reason(manifest, -1, board)
    )


def _no_count_of_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A firmware on trial has as many starts as it likes."""
    monkeypatch.setattr(updates, "STARTS", "99999")


def _no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has joined its network is good, as uptime was for others."""
    step = update_trial.Trial.step

    def joined(trial: Any, node: Any) -> bool:
        if trial.is_open and node.link.station.is_up():
            trial._accept()
        return step(trial, node)

    monkeypatch.setattr(update_trial.Trial, "step", joined)


def _no_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is taken for what was signed."""
    monkeypatch.setattr(pack_target.PackTarget, "read_back", lambda self: True)


def _no_way_back_for_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A firmware on trial that sleeps in order may go on for ever."""
    monkeypatch.setattr(update_trial.Trial, "over", lambda self, node, wake: False)


class Sabotage(NamedTuple):
    """What is switched off, the faults and the broker with which that shows, and what the
    simulation then says."""

    begin: Callable[[pytest.MonkeyPatch], None]
    groups: list[str]
    expected: str
    broker: str = OBLIGING
    sleeps: bool = False


_SABOTAGES = {
    "CRC check": Sabotage(
        _no_checksum, ["power", "broker"], "arrived as|was never taken|no reading"
    ),
    "resending after a reconnect": Sabotage(_no_resending, ["connection"], "lost|later one"),
    "deadline of an acknowledgement": Sabotage(_no_deadline, ["answers"], "to be acknowledged"),
    "wrap of the packet id": Sabotage(_no_wrap, [], "escaped"),
    "seq kept across deep sleep": Sabotage(_no_seq, ["broker"], "after", sleeps=True),
    "way back from a mistyped broker": Sabotage(
        _no_rollback, ["commands"], "not delivered|no answer"
    ),
    "memory of what was done": Sabotage(_no_memory_of_ids, ["commands"], "was done 2 times"),
    "alarms of a node that sleeps": Sabotage(
        _no_alarms, [], "alarm .* is not delivered", sleeps=True
    ),
    "sparing of the cell in sleep": Sabotage(_no_sparing, ["supply"], "with a cell", sleeps=True),
    "boot counted at each start": Sabotage(_no_counting, ["power"], "given twice"),
    "deadline of each reading": Sabotage(
        _no_deadline_of_each, [], "to be acknowledged", "loses a message now and then"
    ),
    "way back from early packets": Sabotage(
        _no_way_back, [], "not delivered", "never answers CONNECT with more behind it"
    ),
    "proof that all early packets were taken": Sabotage(
        _no_proof_of_all, ["broker"], "not delivered|no answer", "takes three early packets"
    ),
    "leaving out what a broker closes on": Sabotage(
        _no_leaving_out, [], "not delivered|no answer", "takes nothing retained"
    ),
    "trying of each extra alone": Sabotage(
        _no_turns, [], "not delivered|no answer", "takes nothing retained"
    ),
    "memory of it over a deep sleep": Sabotage(
        _no_memory_of_ends, [], "not delivered|no answer", "takes nothing retained", True
    ),
    "answers until they have arrived": Sabotage(
        _no_second_answer,
        ["connection", "commands"],
        "no answer to a command|nobody was told",
        "takes packets of 300 bytes",
    ),
    "commands over a deep sleep": Sabotage(
        _no_keeping_of_commands,
        ["commands"],
        "no answer to a command|nobody was told",
        "takes nothing retained",
        True,
    ),
    "signature of an update": Sabotage(_no_signature, ["updates"], "starts what it must refuse"),
    "counter of an update": Sabotage(_no_counter, ["updates"], "starts what it must refuse"),
    "count of a trial's starts": Sabotage(
        _no_count_of_starts, ["updates"], "not delivered|not the newest firmware"
    ),
    "acknowledgement as a trial's proof": Sabotage(
        _no_proof, ["updates"], "cannot have proven itself|for good|not delivered"
    ),
    "reading back of an update": Sabotage(
        _no_read_back, ["updates"], "starts what it must refuse|no firmware at"
    ),
    "wakes of a trial": Sabotage(
        _no_way_back_for_wakes, ["updates"], "not delivered|not the newest firmware", sleeps=True
    ),
}
_SEEDS = 30


@pytest.mark.parametrize("protection", _SABOTAGES)
def test_the_simulation_misses_a_protection(
    protection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, groups, expected, broker, sleeps = _SABOTAGES[protection]
    begin(monkeypatch)
    for seed in range(1, _SEEDS + 1):
        try:
            run(seed, _HOURS, 1, groups, sleeps, broker)
        except Failed as failure:
            assert re.search(expected, str(failure).splitlines()[0]), str(failure)
            monkeypatch.undo()
            run(seed, _HOURS, 1, groups, sleeps, broker)  # With it, the same seed holds.
            return
    pytest.fail(f"{_SEEDS} seeds, and nobody misses the {protection}")
