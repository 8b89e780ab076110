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


@pytest.mark.parametrize("delivered", [0, 2])
def test_a_connection_that_brought_no_reading_is_no_delivery(delivered: int) -> None:
    said: list[str] = []
    wire = SimpleNamespace(round_trips=1, segments=0)
    session: Any = SimpleNamespace(wire=wire, publish=lambda *_: None)
    delivery: Any = SimpleNamespace(
        delivered=0, restart=lambda: None, pump_all=lambda: None, pump=lambda: False
    )
    outbox: Any = SimpleNamespace(depth=0, write_through=False)
    commands: Any = SimpleNamespace(restart=lambda: None, step=lambda _: False, queue=[])
    settings = {"commands": "off", "outbox": {"durability": "outage"}}
    uplink = Uplink(
        Clock(FakeTime()),
        session,
        outbox,
        delivery,
        b"fieldpost/n/",
        SimpleNamespace(crash=None),
        commands,
        None,
        settings,
        said.append,
    )
    uplink.connect(b"{}")
    delivery.delivered += delivered
    uplink.step(None)
    assert [line.partition(" in ")[0] for line in said] == (
        ["delivered 2 readings"] if delivered else []
    )
    assert not uplink.catching_up
