"""Sleeping nodes with a rain gauge and a door, on either port, from the pin to the broker."""

import copy
import itertools
import random
from typing import Any

import pytest
from rigs.field import _DOOR, _RAIN, _SAMPLE_S, Field, configured, ports

from emulated.pin import FakePin
from fakes.sensor_board import SensorBoard
from firmware.config.check import check
from firmware.duty_cycle.watched_pins import Watch
from firmware.readings.sensors import Sensors
from simulation import scenario
from simulation.board import SimulatedBoard
from simulation.run import Run

_SENSORS = [
    {"type": "pulses", "name": "gauge", "pin": _RAIN, "scale": 0.5, "field": "rain"},
    {"type": "digital", "pin": _DOOR, "pull": "up", "active_low": True, "field": "closed"},
]
_TALKER = {"type": "pms5003", "rx": 9, "tx": 8}
_DOOR_WAKES = [_SENSORS[0], {**_SENSORS[1], "wake": True, "wake_pause_s": 60}]


def test_to_mind_pins_changes_nothing_of_the_configuration() -> None:
    made, errors = check(configured(_DOOR_WAKES), {"wifi": [{"ssid": "s", "password": ""}]})
    assert made, errors
    sensors = made["sensors"]
    before = copy.deepcopy(sensors)
    board = SensorBoard()
    board.pins = {_RAIN: FakePin(), _DOOR: FakePin()}
    first, second = (Watch(board, lambda: 0, sensors, print, {}).sensors for _ in range(2))
    assert sensors == before
    for one, other, plain in zip(first, second, sensors, strict=True):
        assert one["recipe"][:-1] == plain["recipe"]
        assert one["recipe"][-1] is not other["recipe"][-1]


@ports
def test_every_pulse_of_the_night_is_in_a_reading(port: str) -> None:
    field = Field(port, _SENSORS, hours=2.0)
    for tip in range(200):
        field.pulse(30.0 + tip * 33.3)
    field.run.play()
    assert sum(one["rain"] for one in field.readings) == 200 * 0.5
    assert len(field.readings) <= 2 * 3600 / _SAMPLE_S + 3, "a pulse is no reason for a reading"
    assert all(one["rain"] <= 10 * 0.5 for one in field.readings)
    assert field.health["short_sleeps"] == 0


@ports
def test_samples_stay_on_their_grid_through_the_pulses_and_the_door(port: str) -> None:
    field = Field(port, _DOOR_WAKES, hours=2.0)
    for tip in range(100):
        field.pulse(31.0 + tip * 65.3)
    for number in range(20):
        field.door(100.0 + 333.0 * number, number % 2)
    field.run.play()
    times = field.times()
    # Up to a second early where a pulse has just woken it, and late where it was delivering.
    for point_s in range(0, 2 * 3600, _SAMPLE_S):
        assert any(-1.1 <= at - point_s < 6 for at in times), point_s
    assert len(times) == 2 * 3600 // _SAMPLE_S + 20


@ports
def test_a_door_is_told_of_at_once_though_readings_are_gathered(port: str) -> None:
    field = Field(port, _DOOR_WAKES, deliver_every=10)
    field.door(1000.0, 0)
    field.door(1500.0, 1)
    field.run.play()
    opened = next(one for one in field.readings if one["closed"] == 1)
    shut = next(one for one in field.readings if one["at"] > opened["at"] and not one["closed"])
    assert 1000 <= opened["at"] < 1005
    assert 1500 <= shut["at"] < 1505
    assert field.health["pin_wakes"] >= 1


@ports
def test_wakes_by_a_door_are_counted_over_all_sleeps(port: str) -> None:
    field = Field(port, _DOOR_WAKES, health_s=60)
    for number in range(4):
        field.door(650.0 + 600 * number, number % 2)
    field.run.play()
    assert field.health["pin_wakes"] == 4


@ports
def test_a_change_that_could_not_be_delivered_waits_for_the_next_reading_not_the_batch(
    port: str,
) -> None:
    field = Field(port, _DOOR_WAKES, deliver_every=11, retry={"cap_s": 60})
    spot = field.machine.access_point
    field.run.world.at(int(950e6), setattr, spot, "present", False)
    field.door(1000.0, 0)
    field.run.world.at(int(1100e6), setattr, spot, "present", True)
    field.run.play()
    shut = next(one for one in field.readings if one["closed"] == 1)
    assert 1200 <= shut["at"] < 1210


def test_a_wait_for_a_sensor_with_the_radio_off_is_a_light_sleep_where_that_saves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests = []
    sleep = SimulatedBoard.light_sleep

    def light_sleep(board: SimulatedBoard, ms: int, watch: Any = None) -> None:
        rests.append(ms)
        sleep(board, ms, watch)

    monkeypatch.setattr(SimulatedBoard, "light_sleep", light_sleep)
    monkeypatch.setattr(Sensors, "start", lambda *_: 2000)
    for port, sensors, count in (("rp2", [], 8), ("rp2", [_TALKER], 0), ("esp32", [], 0)):
        rests.clear()
        Field(port, [_SENSORS[1], *sensors], deliver_every=3).run.play()
        # Twelve readings; the first, and then each third, are delivered while they are measured.
        waits = [ms for ms in rests if 1990 < ms < 2010]
        assert len(waits) == count, (port, sensors)


@ports
def test_an_input_that_flaps_is_delivered_once_in_its_pause(port: str) -> None:
    field = Field(port, _DOOR_WAKES, deliver_every=12)
    for number in range(1000):
        field.door(600.0 + number * 1.7, number % 2)
    field.run.play()
    deliveries = sorted({round(one["at"]) for one in field.readings if 600 < one["at"] < 2300})
    assert 20 < len(deliveries) <= 1700 / 60 + 2
    gaps = [later - earlier for earlier, later in itertools.pairwise(deliveries)]
    assert min(gaps) >= 55


@ports
def test_an_input_that_is_told_of_leaves_the_pulses_of_the_interval_their_bound(port: str) -> None:
    field = Field(port, _DOOR_WAKES, hours=2.1, sample_s=3600)
    for tip in range(200):
        field.pulse(30.0 + tip * 14.0)
    field.door(3000.0, 0)
    for tip in range(30):
        field.pulse(3020.0 + tip * 15.0)
    field.run.play()
    assert sum(one["rain"] for one in field.readings) == 230 * 0.5
    assert field.health["pin_storms"] == 0


@pytest.mark.parametrize("error", [OSError(5), ValueError("invalid pin")])
def test_a_supply_that_cannot_be_read_is_unknown_and_the_node_goes_on(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def adc(*_: Any) -> None:
        raise error

    monkeypatch.setattr(SimulatedBoard, "adc", adc)
    meter = {"type": "supply", "pin": 35, "scale": 2}
    low = {"below_mv": 3500, "stop_mv": 3400, "stretch": 2}
    field = Field("esp32", [*_DOOR_WAKES, meter], low_battery=low)
    field.run.play()
    assert len(field.readings) == 3600 // _SAMPLE_S
    assert all("supply" in str(one["failed"]) for one in field.readings)


@ports
def test_a_short_knock_is_seen_although_it_is_over_before_the_reading(port: str) -> None:
    field = Field(port, _DOOR_WAKES)
    field.door(700.0, 0)
    field.door(700.06, 1)
    field.run.play()
    assert [one["closed"] for one in field.readings if 700 <= one["at"] < 705] == [1]
    after = [one["closed"] for one in field.readings if one["at"] > 705]
    assert after and not any(after)


@pytest.mark.parametrize(
    "seed",
    [*range(9, 13), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(13, 21))],
)
def test_faults_of_all_kinds_break_nothing_while_pins_are_minded(seed: int) -> None:
    made = scenario.make(seed, 3.0, 1, sleeps=True)
    made.nodes[0].config["sensors"] = _DOOR_WAKES
    run = Run(made)
    pins, rng = run.machines[0].pins, random.Random(seed)
    at_s = 0.0
    while at_s < made.calm_s:
        at_s += rng.expovariate(1 / 60)
        number = rng.choice((_RAIN, _RAIN, _DOOR))
        pins.drive(at_s, number, 0)
        pins.drive(at_s + rng.choice((0.02, 0.1, 1.0, 30.0)), number, 1)
    result = run.play()
    assert result.lost == result.doubled == result.late_waits == 0
    # In safe mode, by command, it takes none.
    assert result.taken > 60


def test_an_input_without_wake_sleeps_through_its_changes() -> None:
    field = Field("esp32", [_SENSORS[1]], deliver_every=4)
    for number in range(20):
        field.door(400.0 + 100 * number, number % 2)
    field.run.play()
    assert len(field.times()) <= 3600 / _SAMPLE_S + 3
    assert "pin_wakes" not in field.health


@ports
def test_with_a_low_battery_the_door_is_kept_and_not_sent(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An ESP32 knows of its battery by a divider, a Pico W by itself.
    meter = [{"type": "supply", "pin": 35, "scale": 2}] if port == "esp32" else []
    low = {"below_mv": 3500, "stop_mv": 3400, "stretch": 2}
    field = Field(port, [*_DOOR_WAKES, *meter], low_battery=low)
    monkeypatch.setattr(type(field.machine.radio), "join", _no_radio)
    field.door(900.0, 0)
    field.run.play()
    times = field.times()
    assert any(900 <= at < 905 for at in times)
    assert len(times) == 3600 // (2 * _SAMPLE_S) + 1
    assert not field.readings


def _no_radio(*_: Any, **__: Any) -> None:
    raise AssertionError("the radio was used")
