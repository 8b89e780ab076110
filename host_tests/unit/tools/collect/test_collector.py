"""Nothing is acknowledged before it is stored, whatever the store does; memory has a bound."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from fieldpost.collect import collector
from fieldpost.collect.collector import BATCH_MAX, Storing
from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Message, Reader
from fieldpost.store.errors import StoreAway
from fieldpost.store.rows import Rejected, Row, Written


def arrival(number: int, payload: bytes = b'{"boot":1,"seq":1}') -> Arrival:
    return Arrival(Message("fieldpost/n/telemetry", payload, 7.0), Receipt(1, number))


class FakeStore:
    """Takes rows after it was away for some tries. log: what was done, in order."""

    def __init__(self, log: list[str], away: int = 0, on_away=lambda: None) -> None:
        self.log = log
        self.away = away
        self.on_away = on_away
        self.rows: list[Row] = []

    def write(self, rows: Sequence[Row]) -> Written:
        if self.away:
            self.away -= 1
            self.on_away()
            raise StoreAway("the disk is full")
        self.log.append(f"commit {len(rows)}")
        self.rows += rows
        return Written(stored=len(rows))


class FakeSession:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        self.log.append("ack " + " ".join(str(one.number) for one in receipts))


def storing(store: FakeStore, intake: Intake, told: list[str]) -> Storing:
    return Storing(
        store, FakeSession(store.log), intake, Reader("fieldpost"), told.append, told.append
    )


def test_the_commit_comes_before_the_acknowledgement_and_both_are_in_order() -> None:
    intake, log, told = Intake(), [], []
    for number in range(3):
        intake.put(arrival(number))
    one = storing(FakeStore(log), intake, told)
    one.stop()
    one.run()
    assert log == ["commit 3", "ack 0 1 2"] and one.written.stored == 3


def test_a_store_that_is_away_is_tried_again_and_nothing_is_acknowledged_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "_RETRY_FIRST_S", 0.01)
    intake, log, told = Intake(), [], []
    intake.put(arrival(1))
    done = threading.Event()
    store = FakeStore(log, away=2)
    one = storing(store, intake, told)
    one.on_commit = lambda _written, _took_s: done.set()
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    assert done.wait(20)
    one.stop()
    thread.join(5)
    assert log == ["commit 1", "ack 1"]
    assert "disk is full" in told[0] and told[1] == "the store takes readings again"


def test_at_the_end_a_store_that_is_away_is_waited_for_no_longer() -> None:
    intake, log, told = Intake(), [], []
    intake.put(arrival(1))
    store = FakeStore(log, away=99)
    one = storing(store, intake, told)
    one.stop()
    one.run()
    assert log == [] and "not acknowledged" in told[-1]


def test_what_can_not_be_read_is_stored_as_that_and_acknowledged() -> None:
    intake, log, told = Intake(), [], []
    intake.put(arrival(1, b"garbage"))
    store = FakeStore(log)
    one = storing(store, intake, told)
    one.stop()
    one.run()
    assert isinstance(store.rows[0], Rejected) and log == ["commit 1", "ack 1"]
    assert told == ["rejected: fieldpost/n/telemetry: not JSON"]


def test_a_batch_has_a_bound() -> None:
    intake, log, told = Intake(), [], []
    for number in range(BATCH_MAX + 5):
        intake.put(arrival(number))
    one = storing(FakeStore(log), intake, told)
    one.stop()
    one.run()
    assert [line for line in log if line.startswith("commit")] == ["commit 1000", "commit 5"]


def test_there_is_room_up_to_a_count_and_up_to_a_number_of_bytes() -> None:
    few = Intake(waiting_max=2)
    few.put(arrival(1))
    assert few.has_room()
    few.put(arrival(2))
    assert not few.has_room()
    assert len(few.take(1, 0)) == 1 and few.has_room()
    short = Intake(bytes_max=10_000)
    short.put(arrival(1, b"x" * 9_990))
    assert not short.has_room()
    short.take(1, 0)
    assert short.has_room()
