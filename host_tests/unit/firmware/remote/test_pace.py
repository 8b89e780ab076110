"""A fleet slows down when it is asked to: for a while, within bounds, and at no reading's cost."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.field import NODE, Field, ports

from fakes.habits import Habits
from firmware.remote.pace import Pace, PacedDelivery, join

NOW_S = 1_795_368_917
TOPIC = "fieldpost/pace"


class Clock:
    def __init__(self, now_s: int | None = NOW_S) -> None:
        self.now_s = now_s
        self.now_ms = 0

    def unix_s(self) -> int | None:
        return self.now_s

    def uptime_ms(self) -> int:
        return self.now_ms


def pace(clock: Clock, kept: Any = None) -> Pace:
    session = SimpleNamespace(subscribe=lambda _: None)
    return Pace(TOPIC.encode(), session, clock, lambda _: None, kept)


def hint(factor: Any = 4, until: Any = NOW_S + 3600) -> bytes:
    return json.dumps({"factor": factor, "until": until}).encode()


def settings(sample_s: int = 60, ram_readings: int = 64) -> dict[str, Any]:
    return {
        "mode": "always_on",
        "mqtt": {"base": "fieldpost"},
        "sample_s": sample_s,
        "outbox": {"ram_readings": ram_readings},
    }


# What is obeyed --------------------------------------------------------------------------------


def test_a_message_holds_until_its_time_and_an_empty_one_ends_it() -> None:
    clock = Clock()
    one = pace(clock)
    assert one.factor() == 1
    one.receive(hint())
    assert one.factor() == 4
    clock.now_s = NOW_S + 3600
    assert one.factor() == 1
    clock.now_s = NOW_S
    assert one.factor() == 4
    one.receive(b"")
    assert one.factor() == 1


@pytest.mark.parametrize(
    ("message", "factor"),
    [
        (hint(10**9), 16),
        (hint(0), 1),
        (hint(-5), 1),
        (hint(until=NOW_S + 86_400), 4),
        (hint(until=NOW_S + 86_401), 1),
        (hint(until=10**18), 1),
        (hint(until=NOW_S - 1), 1),
    ],
)
def test_no_message_has_more_force_than_sixteen_times_for_a_day(
    message: bytes, factor: int
) -> None:
    one = pace(Clock())
    one.receive(message)
    assert one.factor() == factor


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[]",
        b"7",
        b"null",
        b'"x"',
        b"\xff",
        b"{}",
        hint(4.5),
        hint("4"),
        hint(None),
        hint(until=None),
        hint(until="soon"),
        hint(until=0),
        b'{"factor": 1e999, "until": 1}',
        hint()[:-1] + b' , "x": "%s"}' % (b"x" * 100),
    ],
)
def test_what_is_not_understood_changes_nothing(message: bytes) -> None:
    one = pace(Clock())
    one.receive(hint(2))
    one.receive(message)
    assert one.factor() == 2


def test_a_node_without_the_time_obeys_for_an_hour_however_often_it_is_told() -> None:
    clock = Clock(None)
    one = pace(clock)
    one.receive(hint())
    clock.now_ms = 3_599_999
    one.receive(hint())
    assert one.factor() == 4
    kept = json.loads(json.dumps(one.keep()))
    clock.now_ms = 3_600_000
    assert pace(clock, kept).factor() == one.factor() == 1
    one.receive(hint())
    assert one.factor() == 1
    one.receive(hint(until=NOW_S + 3601))
    assert one.factor() == 4


def test_a_back_off_is_stretched_up_to_a_quarter_of_an_hour_and_never_shortened() -> None:
    one = pace(Clock())
    assert one.limit_ms(1000) == 1000
    one.receive(hint())
    assert [one.limit_ms(limit) for limit in (1000, 300_000, 3_600_000)] == [
        4000,
        900_000,
        3_600_000,
    ]


@pytest.mark.parametrize(
    ("sample_s", "ram", "count", "gathered"),
    [
        (60, 64, 1, 4),
        (60, 64, 10, 40),
        (60, 64, 30, 60),
        (60, 64, 100, 100),
        (60, 3, 1, 3),
        (1800, 64, 1, 2),
        (7200, 64, 1, 1),
    ],
)
def test_deliveries_are_stretched_up_to_an_hour_and_to_what_ram_holds(
    sample_s: int, ram: int, count: int, gathered: int
) -> None:
    one = pace(Clock())
    made = settings(sample_s, ram)
    assert one.gather(made, count) == count
    one.receive(hint())
    assert one.gather(made, count) == gathered


# A node that is always on ----------------------------------------------------------------------


class Waiting:
    """A delivery, and the outbox that it takes from."""

    delivered = depth = 0
    restart = render = None

    def __init__(self) -> None:
        self.batches: list[int] = []

    def pump_all(self) -> None:
        self.batches.append(self.depth)
        self.depth = 0

    def pump(self) -> bool:
        if self.depth:
            self.pump_all()
        return False


@pytest.mark.parametrize(("phase", "first"), [(0, 4), (5, 3), (7, 1)])
def test_an_always_on_node_gathers_and_its_first_batch_is_short_by_its_phase(
    phase: int, first: int
) -> None:
    waiting, one = Waiting(), pace(Clock())
    delivery = PacedDelivery(waiting, waiting, settings(), one, phase)

    def take(count: int) -> None:
        waiting.batches.clear()
        for _ in range(count):
            waiting.depth += 1
            delivery.pump()

    take(3)
    assert waiting.batches == [1, 1, 1]
    one.receive(hint())
    take(12)
    assert waiting.batches[:3] == [first, 4, 4][: len(waiting.batches)]
    one.receive(b"")
    take(1)
    assert waiting.batches[-1] >= 1 and waiting.depth == 0


def test_joined_it_knows_its_topic_and_leaves_the_inbox_its_messages() -> None:
    came: list[Any] = []
    inbox = SimpleNamespace(
        topic=b"t",
        queue=came,
        step=None,
        keep=None,
        leave=None,
        is_idle=None,
        receive=lambda *message: came.append(message),
        restart=lambda: came.append("restart"),
    )
    subscribed: list[bytes] = []
    session = SimpleNamespace(client_id=b"n", subscribe=subscribed.append)
    link = SimpleNamespace(session=session, clock=Clock(), log=lambda _: None, pace=None)
    waiting = Waiting()
    made, delivery = join(inbox, waiting, waiting, link, settings(), None)
    assert isinstance(delivery, PacedDelivery)
    made.receive(b"fieldpost/pace", hint(), True)
    made.receive(b"t", b"{}", False)
    made.restart()
    assert link.pace.factor() == 4
    assert (came, subscribed) == ([(b"t", b"{}", False), "restart"], [b"fieldpost/pace"])
    assert made.queue is came


# Whole nodes -----------------------------------------------------------------------------------


def _played(port: str, mode: str, habits: Habits | None = None, **config: Any) -> Field:
    own = {"sample_s": 60, "health_s": 60, "pace": True, **config}
    field = Field(port, [{"type": "internal"}], hours=3.0, mode=mode, **own)
    if habits:
        field.run.broker.habits = habits
    broker, world = field.run.broker, field.run.world
    # Nobody has told this node the time.
    at_us = 600_000_000
    world.at(at_us, lambda: broker.publish(TOPIC, hint(6), 1, True))
    field.run.play()
    return field


def _batches(field: Field, start_s: int, end_s: int) -> list[int]:
    """Sizes of the deliveries between these times."""
    found = Counter(round(one["at"] / 10) for one in field.readings)
    return [size for at, size in sorted(found.items()) if start_s <= at * 10 < end_s]


@ports
@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
def test_a_whole_node_slows_down_and_takes_up_its_own_pace_again(mode: str, port: str) -> None:
    field = _played(port, mode)
    assert set(_batches(field, 60, 540)) == {1}
    assert set(_batches(field, 1200, 4000)) == {6}
    assert set(_batches(field, 5000, 10_000)) == {1}
    assert [one["seq"] for one in field.readings] == list(range(len(field.readings)))
    gaps = {
        round(after - before)
        for before, after in zip(field.times()[1:], field.times()[2:], strict=False)
    }
    assert gaps <= {59, 60, 61}, "readings keep their grid"
    assert field.health["pace"] == {"factor": 1, "until": NOW_S + 3600}


@ports
@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
@pytest.mark.parametrize("how", ["refuse", "grant", "close", "ignore"])
def test_a_broker_that_does_not_let_it_in_there_costs_no_reading(
    how: str, mode: str, port: str
) -> None:
    field = _played(port, mode, Habits(subscribe_denied=(TOPIC,), on_subscribe=how))
    found = [one["seq"] for one in field.readings]
    assert sorted(set(found)) == list(range(max(found) + 1))
    assert max(found) > 170
    if how in ("refuse", "close"):
        assert field.health["refused"] == [TOPIC]


@ports
def test_a_node_that_is_not_to_obey_does_not_ask(port: str) -> None:
    field = _played(port, "always_on", pace=False)
    assert set(_batches(field, 60, 10_000)) == {1}
    assert "pace" not in field.health
    assert list(field.run.broker.sessions[NODE].subscriptions) == [f"fieldpost/{NODE}/cmd"]
