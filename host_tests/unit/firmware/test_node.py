"""A node that is always on keeps its promises to its readings while its broker does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rigs.field import Field

from fakes.clock import FakeTime
from fakes.conditions import Conditions
from firmware.clock import Clock
from firmware.node import AlwaysOn, Uplink

_SENSORS = [{"type": "simulated"}]
_QUICK = {"timeout_s": 4, "keepalive_s": 60, "host": "broker.example"}


def _sick(field: Field, how: str) -> None:
    """From a minute on nothing is answered, in one of several ways."""
    world, machine = field.run.world, field.machine
    mute = Conditions(2, accept="mute") if how == "mute" else Conditions(2, accept="black-hole")

    def fall_ill() -> None:
        if how == "answers nothing":
            field.run.broker.mute = True
        elif how == "no network":
            machine.access_point.present = False
            machine.radio.lost(False)
        else:
            machine.radio.lost(False)
            machine.radio.back()
            machine.conditions_for_next = lambda: mute  # type: ignore[method-assign]

    world.at(int(60e6), fall_ill)


@pytest.mark.parametrize("how", ["mute", "black-hole", "answers nothing", "no network"])
@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_readings_keep_their_grid_while_the_broker_is_waited_for(port: str, how: str) -> None:
    field = Field(port, _SENSORS, 0.1, mode="always_on", sample_s=1, mqtt=_QUICK)
    _sick(field, how)
    field.run.play()
    times = field.times()
    # A wait is cut into slices of half a second, and a sample waits for the end of its own.
    for point_s in range(70, 358):
        assert any(-0.1 <= at - point_s < 0.7 for at in times), point_s
    assert len([at for at in times if 70 <= at < 358]) == 358 - 70


def test_the_next_health_report_is_due_when_its_interval_is_over() -> None:
    time = FakeTime()
    reports_ms: list[int] = []
    uplink: Any = SimpleNamespace(
        outbox=None,
        is_safe=None,
        closed=None,
        catching_up=False,
        patience_ms=3600000,
        step=lambda _: False,
        opened=lambda: None,
        publish_health=lambda _: reports_ms.append(time.elapsed_ms),
    )
    parts: list[Any] = [None] * 12
    parts[0], parts[1], parts[5] = Clock(time), {"health_s": 60}, uplink
    node = AlwaysOn(*parts)
    node.opened()
    assert node.work() == 60_000
    time.advance_ms(45_000)
    assert node.work() == 15_000
    time.advance_ms(15_000)
    assert node.work() == 60_000
    assert reports_ms == [0, 60_000]
    uplink.catching_up = True
    time.advance_ms(60_000)
    assert node.work() == 60_000 and len(reports_ms) == 2, "not before the backlog"


class Sent:
    """What an uplink is made of, on a clock that stands; `published`: (topic, text, retained)."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.said: list[str] = []
        self.published: list[tuple[bytes, bytes, bool]] = []
        self.wire = SimpleNamespace(round_trips=5, segments=7)
        self.delivery: Any = SimpleNamespace(
            delivered=10, restart=lambda: None, pump_all=lambda: None, pump=lambda: False
        )
        session: Any = SimpleNamespace(wire=self.wire, publish=self._publish)
        outbox: Any = SimpleNamespace(depth=0, write_through=False)
        commands: Any = SimpleNamespace(restart=lambda: None, step=lambda _: False, queue=[])
        self.uplink = Uplink(
            Clock(self.time),
            session,
            outbox,
            self.delivery,
            b"fieldpost/n/",
            SimpleNamespace(crash=None),
            commands,
            None,
            {"commands": "off", "outbox": {"durability": "outage"}},
            self.said.append,
        )

    def _publish(self, topic: bytes, text: bytes, retained: bool, _qos: int) -> None:
        self.published.append((topic, text, retained))


@pytest.mark.parametrize("delivered", [0, 2])
def test_a_connection_that_brought_no_reading_is_no_delivery(delivered: int) -> None:
    sent = Sent()
    sent.uplink.connect(b"{}")
    sent.delivery.delivered += delivered
    sent.uplink.step(None)
    assert [line.partition(" in ")[0] for line in sent.said] == (
        ["delivered 2 readings"] if delivered else []
    )
    assert not sent.uplink.catching_up


def test_what_a_delivery_took_is_counted_from_its_connect() -> None:
    sent = Sent()
    sent.uplink.connect(b"{}")
    sent.delivery.delivered += 3
    # The round trip of TCP was over, and is one of the delivery all the same.
    sent.wire.round_trips += 1
    sent.wire.segments += 4
    sent.time.advance_ms(120)
    sent.uplink.step(None)
    took = {"readings": 3, "round_trips": 2, "segments": 4, "ms": 120}
    assert sent.uplink.last_delivery == took
    assert sent.said == ["delivered 3 readings in 2 round trips, 4 segments, 120 ms"]


def test_whoever_asks_later_is_told_as_well_that_a_node_came_and_went() -> None:
    sent = Sent()
    sent.uplink.connect(b'{"state":"online"}')
    sent.uplink.say_offline()
    assert sent.published == [
        (b"fieldpost/n/status", b'{"state":"online"}', True),
        (b"fieldpost/n/status", b'{"state":"offline"}', True),
    ]


def test_a_node_that_is_told_to_be_online_can_be_sent_a_command() -> None:
    """After a connection that ended, each packet waits for the answer to the one before: a command
    that was sent between a status and its subscription would be lost."""
    asked: list[bytes] = []
    part: Any = SimpleNamespace(
        topic=b"n/cmd", delivered=0, restart=lambda: None, pump_all=lambda: None
    )
    uplink: Any = SimpleNamespace(
        session=SimpleNamespace(
            wire=SimpleNamespace(round_trips=1, segments=1),
            publish=lambda topic, *_: asked.append(topic),
            subscribe=asked.append,
        ),
        delivery=part,
        commands=part,
        updates=None,
        discovery=None,
        _clock=Clock(FakeTime()),
        _root=b"n/",
        _obeys=True,
    )
    Uplink.connect(uplink, b"{}")
    assert asked == [b"n/cmd", b"n/status"]
