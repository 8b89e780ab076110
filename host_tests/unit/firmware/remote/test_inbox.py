"""What waits for a node to have time for it: bounded, told of, and kept over what ends RAM."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fakes.flash import FakeFlash
from firmware import files as _files
from firmware.remote import commands
from firmware.remote.inbox import Inbox

TOPIC = b"fieldpost/n/cmd"


class Doing:
    """In place of the commands: notes what it is asked to do."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.asked: list[str] = []

    def step(self) -> bool:
        self.inbox.queue.pop(0)
        self.asked.append("step")
        return bool(self.inbox.queue)

    def keep(self) -> None:
        self.asked.append("keep")

    def leave(self) -> None:
        self.asked.append("leave")

    def tell_again(self) -> None:
        self.asked.append("tell again")

    def is_idle(self) -> bool:
        return not self.inbox.queue


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, owed: bytes | None = None) -> None:
        flash = FakeFlash()
        if owed is not None:
            _files.write_atomic(_files.OWED, owed, flash)
        self.trial = SimpleNamespace(verdict=None)
        self.inbox = Inbox(TOPIC, self.trial, flash, None, None)
        self.made: list[Doing] = []

        def make(_node: Any, inbox: Inbox, *_: Any) -> Doing:
            self.made.append(Doing(inbox))
            return self.made[-1]

        monkeypatch.setattr(commands, "make", make)

    def receive(self, count: int = 1, size: int = 2) -> None:
        for _ in range(count):
            self.inbox.receive(TOPIC, b"{" + b"x" * (size - 1), False)

    @property
    def asked(self) -> list[str]:
        return [one for doing in self.made for one in doing.asked]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_more_than_eight_at_once_are_counted_and_not_kept(bench: Bench) -> None:
    assert bench.inbox.overflow == 0
    bench.receive(8)
    assert (len(bench.inbox.queue), bench.inbox.overflow) == (8, 0)
    bench.receive(3)
    assert (len(bench.inbox.queue), bench.inbox.overflow) == (8, 3)


@pytest.mark.parametrize(("size", "is_kept"), [(512, True), (513, False)])
def test_of_a_command_that_is_too_large_nothing_is_kept_but_that_it_came(
    bench: Bench, size: int, is_kept: bool
) -> None:
    bench.receive(size=size)
    ((payload, retained),) = bench.inbox.queue
    assert (payload is not None) == is_kept and not retained


def test_what_came_on_another_topic_is_no_command(bench: Bench) -> None:
    bench.inbox.receive(TOPIC + b"/result", b"{}", False)
    assert bench.inbox.queue == [] and bench.inbox.is_idle()


def test_a_node_that_is_told_nothing_loads_nothing(bench: Bench) -> None:
    node = SimpleNamespace()
    assert bench.inbox.is_idle() and not bench.inbox.step(node)
    bench.inbox.restart()
    bench.inbox.keep(node)
    bench.inbox.leave(node)
    assert bench.made == []


@pytest.mark.parametrize("how", ["keep", "leave"])
def test_what_has_come_and_is_not_done_is_kept_when_ram_is_about_to_go(
    bench: Bench, how: str
) -> None:
    bench.receive()
    getattr(bench.inbox, how)(SimpleNamespace())
    assert bench.asked == [how]


@pytest.mark.parametrize("how", ["keep", "leave"])
def test_what_was_done_may_still_have_to_be_told_when_ram_is_about_to_go(
    bench: Bench, how: str
) -> None:
    bench.receive()
    assert not bench.inbox.step(SimpleNamespace())
    getattr(bench.inbox, how)(SimpleNamespace())
    bench.inbox.restart()
    assert bench.asked == ["step", how, "tell again"]


def test_a_node_that_owes_an_answer_or_a_verdict_is_not_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not Bench(monkeypatch, b"[[],0,[]]").inbox.is_idle()
    bench = Bench(monkeypatch)
    bench.trial.verdict = {"ok": True}
    assert not bench.inbox.is_idle()
