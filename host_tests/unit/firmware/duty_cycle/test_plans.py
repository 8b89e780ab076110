"""What a sleeping node plans over its sleeps: the address, the grid, settings, alarms, its pin."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from rigs.field import NODE, Field, ports

from emulated.pin import FakePin
from fakes.sensor_board import SensorBoard
from firmware.clock import Clock
from firmware.config.check import check
from firmware.duty_cycle import rtc_memory, sleep
from firmware.duty_cycle.watched_pins import Watch
from firmware.readings.sensors import Sensors
from simulation.board import SimulatedBoard
from simulation.radio import SimulatedRadio
from simulation.scenario import BROKER, TIME_SERVER

_SENSORS = [{"type": "internal"}]
_AWAKE_PIN = 5


def _said(field: Field, text: str) -> list[float]:
    """When the node's log had this text: seconds of the run."""
    return [one[0] / 1e6 for one in field.run.world.trace if text in str(one[-1])]


def _measure(monkeypatch: pytest.MonkeyPatch, values: list[int]) -> None:
    """These are the temperatures of the readings, one after the other."""
    left = iter(values)
    monkeypatch.setattr(Sensors, "collect", lambda _: ([("die_temperature", next(left))], []))


def _deliveries(field: Field) -> list[float]:
    return sorted({round(one["at"], 1) for one in field.readings})


@ports
def test_an_address_is_used_again_until_its_lease_is_as_old_as_configured(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins: list[tuple[float, bool]] = []
    join = SimulatedRadio.join

    def noted(radio: SimulatedRadio, *arguments: Any, static: Any = None, **options: Any) -> Any:
        joins.append((field.run.world.now_us / 1e6, static is None))
        return join(radio, *arguments, static=static, **options)

    monkeypatch.setattr(SimulatedRadio, "join", noted)
    field = Field(port, _SENSORS, hours=4.0, lease_s=3600)
    field.run.play()
    # A join that fails is tried once more, with nothing remembered.
    first = [(at, asks) for at, asks in joins if at % 300 < 2]
    assert len(first) == 48
    asked = [at for at, asks in first if asks]
    # Twelve wakes are an hour, and the one after it asks anew.
    assert [round(later - at, -2) for at, later in itertools.pairwise(asked)] == [3900, 3900, 3900]


@ports
def test_a_lease_of_no_age_is_asked_for_at_each_wake(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    join = SimulatedRadio.join

    def noted(radio: SimulatedRadio, *arguments: Any, static: Any = None, **options: Any) -> Any:
        given.append(static)
        return join(radio, *arguments, static=static, **options)

    monkeypatch.setattr(SimulatedRadio, "join", noted)
    Field(port, _SENSORS, lease_s=0).run.play()
    assert len(given) == 12 and not any(given)


@ports
def test_an_interval_set_by_command_is_in_force_at_once_and_over_every_sleep(port: str) -> None:
    field = Field(port, _SENSORS, hours=1.5)
    send, world = field.machine.orders.send, field.run.world
    world.at(int(1000e6), lambda: send("set", key="sample_s", value=60))
    world.at(int(1400e6), lambda: send("set", key="deliver_every", value=4))
    field.run.play()
    times = field.times()
    # It hears of it in the wake at 1200 s.
    gaps = [later - at for at, later in itertools.pairwise(times)]
    assert all(abs(gap - 300) < 3 for gap in gaps[:4])
    assert all(abs(gap - 60) < 3 for gap in gaps[4:])
    assert all(abs(at - times[4] - 60 * number) < 2 for number, at in enumerate(times[4:]))
    assert len(times) == pytest.approx(5 + (5400 - 1260) / 60, abs=2)
    late = [at for at in _deliveries(field) if at > 1600]
    assert all(abs(later - at - 240) < 3 for at, later in itertools.pairwise(late))


@ports
def test_the_grid_stays_where_it_was_when_the_time_server_sets_the_clock(port: str) -> None:
    field = Field(port, _SENSORS, hours=2.0, sample_s=420, ntp={"host": TIME_SERVER})
    world, machine = field.run.world, field.machine
    world.at(int(3000e6), lambda: machine.time.set_unix_s(machine.time.unix_s() + 7777))
    field.run.play()
    assert _said(field, "time: set by")
    times = [at for at in field.times() if at < 3000]
    assert len(times) == 8
    for number, at in enumerate(times):
        assert abs(at - 420 * number) < 2


@ports
def test_a_change_counts_from_the_value_that_was_delivered_last(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [20, 21, 22, 25, 25, 25, 27, 29, 29, 27, 25, 25]
    _measure(monkeypatch, values)
    alarm = {"field": "die_temperature", "change": 4}
    field = Field(port, [{"type": "internal", "alarms": [alarm]}], deliver_every=100)
    field.run.play()
    # The first reading, and each that is 4 away from the one that was delivered before.
    assert [round(at / 300) for at in _deliveries(field)] == [0, 3, 7, 10]


@ports
def test_a_threshold_is_told_of_once_over_all_sleeps(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [20, 20, 31, 32, 33, 34, 29, 28, 27, 26, 25, 24]
    _measure(monkeypatch, values)
    alarm = {"field": "die_temperature", "above": 30}
    field = Field(port, [{"type": "internal", "alarms": [alarm]}], deliver_every=100)
    field.run.play()
    assert [round(at / 300) for at in _deliveries(field)] == [0, 2, 6]


@ports
def test_held_awake_by_its_pin_a_node_keeps_its_grid_and_never_sleeps(port: str) -> None:
    field = Field(port, _SENSORS, awake_pin=_AWAKE_PIN, watchdog_s=8)
    machine = field.machine
    machine.pins.drive(0, _AWAKE_PIN, 0)
    machine.pins.drive(1000, _AWAKE_PIN, 1)
    wakes: list[int] = []
    field.run.world.at(int(1150e6), lambda: wakes.append(machine.wakes))
    field.run.play()
    assert len(_said(field, "kept awake by its pin")) == 4
    assert wakes == [0], "it slept deep"
    assert machine.bites == 0, "it did not feed its watchdog"
    assert machine.wakes == (7 if port == "esp32" else 0)
    for number, at in enumerate(field.times()):
        assert -0.1 < at - 300 * number < 2
    assert [one["seq"] for one in field.readings] == list(range(12))


@ports
def test_an_awake_pin_that_nothing_is_wired_to_lets_the_node_sleep(port: str) -> None:
    field = Field(port, _SENSORS, awake_pin=_AWAKE_PIN)
    field.run.play()
    assert not _said(field, "kept awake by its pin")
    assert field.machine.wakes == (11 if port == "esp32" else 0)


def _door(**more: Any) -> dict[str, Any]:
    return {"type": "digital", "pin": 13, "pull": "up", "wake": True, **more}


@ports
def test_held_awake_by_its_pin_a_node_tells_of_a_door_at_once(port: str) -> None:
    field = Field(port, [_door(wake_pause_s=5)], awake_pin=_AWAKE_PIN)
    field.machine.pins.drive(0, _AWAKE_PIN, 0)
    field.door(1000.2, 0)
    field.run.play()
    assert [one["at"] for one in field.readings if 1000 < one["at"] < 1003]
    # Its readings keep their points all the same.
    kept = [at for at in field.times() if not 1000 < at < 1003]
    assert len(kept) == 12
    assert all(-0.1 < at - 300 * number < 0.7 for number, at in enumerate(kept)), kept


@ports
def test_an_inputs_pause_lasts_as_long_when_the_clock_is_set_in_it(port: str) -> None:
    ntp = {"host": TIME_SERVER, "interval_s": 3600}
    field = Field(port, [_door(wake_pause_s=60)], hours=2.0, sample_s=420, ntp=ntp)
    world, machine = field.run.world, field.machine
    world.at(int(3590e6), lambda: machine.time.set_unix_s(machine.time.unix_s() + 7777))
    field.door(3700.0, 0)
    field.door(3730.0, 1)
    field.door(3850.0, 0)
    field.run.play()
    assert [at for at in _said(field, "time: set by") if 3600 < at < 3760]
    told = {round(one["at"], -1) for one in field.readings if 3690 < one["at"] < 3900}
    assert told >= {3700, 3760, 3850}


@ports
def test_a_node_that_is_to_identify_itself_stays_awake_to_be_seen(port: str) -> None:
    field = Field(port, _SENSORS, led=True, mqtt={"host": BROKER, "clean": False})
    field.run.world.at(int(1000e6), field.machine.orders.send, "identify")
    field.run.play()
    ends = _said(field, "asleep for")
    spans = {round(at, -2): min(end for end in ends if end >= at) - at for at in field.times()}
    assert 10 <= spans[1200] < 12.5
    assert all(span < 4 for at, span in spans.items() if at != 1200)


@pytest.mark.parametrize(("port", "mode"), [("esp32", "duty_cycle"), ("rp2", "always_on")])
def test_health_has_the_seconds_since_the_start(port: str, mode: str) -> None:
    field = Field(port, _SENSORS, hours=6.0, health_s=3600, mode=mode)
    reports: list[tuple[float, int]] = []
    field.run.broker.watch(
        f"fieldpost/{NODE}/health",
        lambda one: reports.append(
            (field.run.world.now_us / 1e6, json.loads(one.payload)["uptime_s"])
        ),
    )
    field.run.play()
    assert len(reports) >= 5
    # Two seconds of start-up and joining; a thousandth of five hours is 18 s.
    assert all(-6 < uptime_s - at < 2 for at, uptime_s in reports), reports


def test_when_the_clock_is_set_an_inputs_pause_moves_along() -> None:
    door = {"type": "digital", "pin": 13, "pull": "up", "wake": True, "wake_pause_s": 60}
    config = {"node": "n", "mode": "duty_cycle", "mqtt": {"host": "h"}, "sensors": [door]}
    settings, errors = check(config, {"wifi": [{"ssid": "s", "password": "12345678"}]})
    assert settings, errors
    board = SensorBoard()
    board.pins = {13: FakePin(1)}
    kept = {"pins": [[13, "up", 0, 50, None, 90_000, 0]]}
    watch = Watch(board, lambda: 80_000, settings["sensors"], print, kept)
    assert watch.due_ms() == 10_000
    watch.moved(5000)
    assert watch.due_ms() == 15_000
    watch.moved(-5000)
    assert watch.due_ms() == 10_000
    fresh = Watch(board, lambda: 80_000, settings["sensors"], print, {})
    fresh.moved(5000)
    assert fresh.keep()[0][5] == 0, "what has no pause gets none"


@pytest.mark.parametrize(
    ("published", "at_the_pin", "kept_level"), [(None, 0, 0), (None, 1, 1), (1, 0, 1), (0, 1, 0)]
)
def test_an_input_is_kept_as_it_was_published_last_or_else_as_it_is(
    published: int | None, at_the_pin: int, kept_level: int
) -> None:
    """The wake stub tells of a change against it."""
    door = {"type": "digital", "pin": 13, "pull": "up", "wake": True}
    config = {"node": "n", "mode": "duty_cycle", "mqtt": {"host": "h"}, "sensors": [door]}
    settings, errors = check(config, {"wifi": [{"ssid": "s", "password": "12345678"}]})
    assert settings, errors
    board = SensorBoard()
    board.pins = {13: FakePin(at_the_pin)}
    kept = {"pins": [[13, "up", published, 50, None, 0, 0]]}
    watch = Watch(board, lambda: 80_000, settings["sensors"], print, kept)
    assert watch.keep()[0][2] == kept_level


def test_the_brokers_address_is_kept_as_it_was_found_if_the_port_shows_it() -> None:
    assert sleep._numeric({("b", 1883): [(2, 1, 0, "", ("10.0.0.1", 1883))]}) == "10.0.0.1"
    assert sleep._numeric({("b", 1883): [(2, 1, 0, "", b"opaque")]}) is None
    assert sleep._numeric({}) is None


@pytest.mark.parametrize("watched", [False, True])
def test_a_deep_sleep_keeps_the_time_at_which_it_is_to_end(
    watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it a wake knows that it came too early."""
    sleeps: list[tuple[int, int]] = []
    deep_sleep = SimulatedBoard.deep_sleep

    def noted(board: SimulatedBoard, ms: int) -> None:
        until_ms = rtc_memory.unpack(board.retained())[0]["until"]
        sleeps.append((until_ms - Clock(board.time).rtc_ms(), ms))
        deep_sleep(board, ms)

    monkeypatch.setattr(SimulatedBoard, "deep_sleep", noted)
    door = {"type": "digital", "pin": 13, "pull": "up", "wake": watched, "wake_pause_s": 60}
    field = Field("esp32", [door])
    field.door(1000.0, 0)
    field.run.play()
    assert len(sleeps) >= 11
    assert all(abs(until_ms - ms) < 20 for until_ms, ms in sleeps)
    # After a change the next look is at the end of the input's pause.
    assert (min(ms for _, ms in sleeps) < 61_000) == watched
