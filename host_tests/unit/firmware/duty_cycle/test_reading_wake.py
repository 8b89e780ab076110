"""A wake that only reads does what a whole node does in it, and leaves all else to the node."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from rigs.field import Field

from firmware.duty_cycle import reading_wake, rtc_memory
from firmware.duty_cycle.cycle import DutyCycle
from firmware.readings.sensors import Sensors
from simulation.board import SimulatedBoard
from simulation.scenario import BROKER

_SENSORS = [{"type": "internal"}]
_RHYTHM = {"deliver_every": 4}


def _measure(monkeypatch: pytest.MonkeyPatch, values: Any = None) -> None:
    """These are the temperatures of the readings, one after the other."""
    left = iter(itertools.count() if values is None else values)
    monkeypatch.setattr(Sensors, "collect", lambda _: ([("die_temperature", next(left))], []))


def _whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wake builds the node, as before there was another kind."""
    monkeypatch.setattr(DutyCycle, "_reads_alone", lambda _: False)


def _played(monkeypatch: pytest.MonkeyPatch, alone: bool, **config: Any) -> Field:
    with monkeypatch.context() as patch:
        _measure(patch)
        if not alone:
            _whole(patch)
        field = Field("esp32", _SENSORS, **config)
        field.run.play()
    return field


def _told(field: Field) -> list[tuple[Any, ...]]:
    return [
        (one["boot"], one["seq"], one["die_temperature"], round(one["at"]))
        for one in field.readings
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"deliver_every": 4},
        {"deliver_every": 12, "sample_s": 60},
        # More than RTC memory has room for.
        {"deliver_every": 100, "sample_s": 30, "hours": 3.0},
        {"deliver_every": 100, "sample_s": 30, "outbox": {"ram_readings": 8}, "hours": 3.0},
    ],
)
def test_the_same_readings_arrive_at_the_same_time_as_from_a_whole_node(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = _played(monkeypatch, True, **config)
    plain = _played(monkeypatch, False, **config)
    assert plain.machine.read_alone == 0
    assert field.machine.read_alone > 0.5 * field.machine.wakes
    assert _told(field) == _told(plain)
    assert len(_told(field)) > 0.6 * field.machine.ledger.taken
    assert field.machine.ledger.taken == plain.machine.ledger.taken
    assert [round(at) for at in field.times()] == [round(at) for at in plain.times()]


def test_without_flash_the_batch_leaves_before_memory_is_full_and_each_loss_is_counted() -> None:
    outbox = {"flash_kib": 0}
    field = Field("esp32", _SENSORS, hours=6.0, deliver_every=60, sample_s=30, outbox=outbox)
    field.run.play()
    assert field.machine.read_alone > 0.5 * field.machine.wakes
    arrived = {one["seq"] for one in field.readings}
    assert max(arrived) + 1 - len(arrived) == field.machine.ledger.passed_over < 0.2 * len(arrived)


def test_an_alarm_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _measure(monkeypatch, [20, 20, 20, 95, 95, 95, *itertools.repeat(95, 20)])
    alarm = {"field": "die_temperature", "above": 90}
    field = Field("esp32", [{"type": "internal", "alarms": [alarm]}], deliver_every=12)
    field.run.play()
    assert field.machine.read_alone > 5
    at = {one["seq"]: one["at"] for one in field.readings}
    # The fourth reading crosses the limit: what waits leaves with it, and no second one is taken.
    assert at[1] == at[2] == at[3] and 900 <= at[3] < 905
    assert [one["die_temperature"] for one in field.readings][:5] == [20, 20, 20, 95]
    assert [round(at) for at in field.times()] == list(range(0, 3600, 300))


def test_a_changed_setting_is_in_force_at_the_next_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    mqtt = {"host": BROKER, "clean": False}
    field = Field("esp32", _SENSORS, hours=1.5, mqtt=mqtt, **_RHYTHM)
    send = field.machine.orders.send
    field.run.world.at(int(400e6), lambda: send("set", key="sample_s", value=60))
    field.run.play()
    late = [at for at in field.times() if at > 1300]
    assert {round(after - before) for before, after in itertools.pairwise(late)} == {60}


def test_while_nobody_answers_wakes_between_two_tries_read_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _measure(monkeypatch)
    field = Field("esp32", _SENSORS, hours=6.0, sample_s=60, retry={"cap_s": 1800}, **_RHYTHM)
    spot, world = field.machine.access_point, field.run.world
    world.at(int(600e6), setattr, spot, "present", False)
    world.at(int(10_000e6), setattr, spot, "present", True)
    field.run.play()
    assert field.machine.read_alone > 0.7 * field.machine.wakes
    seqs = [one["seq"] for one in field.readings]
    assert sorted(set(seqs)) == list(range(max(seqs) + 1)) and max(seqs) > 350


@pytest.mark.parametrize(
    "config",
    [
        {"deliver_every": 1},
        {"deliver_every": 4, "outbox": {"durability": "reading"}},
        {"deliver_every": 4, "awake_pin": 5},
        {"deliver_every": 4, "setup_pin": 5},
    ],
)
def test_a_node_that_must_look_at_more_is_built_in_each_wake(config: dict[str, Any]) -> None:
    field = Field("esp32", _SENSORS, **config)
    field.run.play()
    assert field.machine.wakes > 8 and field.machine.read_alone == 0


def test_a_board_without_such_memory_has_no_such_wakes() -> None:
    field = Field("rp2", _SENSORS, **_RHYTHM)
    field.run.play()
    assert field.machine.read_alone == 0 and len(field.readings) == 9


def test_a_slow_sensor_is_waited_for_and_the_watchdog_is_fed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Sensors, "start", lambda *_: 25_000)
    field = Field("esp32", _SENSORS, watchdog_s=10, **_RHYTHM)
    field.run.play()
    assert field.machine.read_alone > 5 and field.machine.bites == 0
    assert [one["seq"] for one in field.readings] == list(range(9))


def test_a_low_battery_stretches_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedBoard, "supply_mv", lambda _: 3000)
    low = {"below_mv": 3300, "stretch": 3, "stop_mv": 2000}
    field = Field("esp32", _SENSORS, hours=6.0, low_battery=low, **_RHYTHM)
    field.run.play()
    assert field.machine.read_alone > 10
    gaps = {round(after - before) for before, after in itertools.pairwise(field.times())}
    assert gaps == {900}


def test_it_logs_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field("esp32", _SENSORS, profile=True, **_RHYTHM)
    field.run.play()
    lines = [str(one[-1]) for one in field.run.world.trace if "profile" in str(one[-1])]
    assert len([line for line in lines if "join_ms" not in line]) == field.machine.read_alone
    said = [str(one[-1]) for one in field.run.world.trace if "stored" in str(one[-1])]
    assert any(line.endswith("sample 2 stored, 2 waiting") for line in said), said


def test_a_reading_that_fails_is_told_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field("esp32", _SENSORS, **_RHYTHM)
    field.run.world.at(int(500e6), setattr, field.machine, "sensor_error", OSError(5))
    field.run.play()
    assert any("sensor internal: " in str(one[-1]) for one in field.run.world.trace)
    assert {one["seq"] for one in field.readings if one.get("failed") == ["internal"]} >= {2, 3}


def test_settings_are_kept_for_such_wakes_until_readings_need_their_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_from: list[str] = []
    measure = rtc_memory.measure

    def note(board: Any, clock: Any, settings: Any, *rest: Any) -> None:
        read_from.append("memory" if settings is None else "flash")
        measure(board, clock, settings, *rest)

    monkeypatch.setattr(rtc_memory, "measure", note)
    sensors = [{"type": "internal", "calibration": [{"field": "die_temperature", "offset": 0.5}]}]
    field = Field("esp32", sensors, sample_s=30, deliver_every=40, hours=0.6)
    monkeypatch.setattr(field.machine, "measure", lambda: 20.0)
    field.run.play()
    # None but the one that delivers: the settings give way before the readings have to.
    assert field.machine.read_alone == field.machine.wakes - 1 > 60
    # The first start delivers; in the wakes after it the memory fills up with readings.
    first = read_from[1:40]
    count = first.count("memory")
    assert 10 < count < 39 and first == ["memory"] * count + ["flash"] * (39 - count)
    assert "memory" in read_from[40:]
    assert {one["die_temperature"] for one in field.readings} == {20.5}


def test_nothing_is_read_where_the_block_has_no_room_for_one_more() -> None:
    class Full:
        retained_bytes = 200

        def retained(self) -> bytes:
            return b"x" * 100

    records = [b"r" * 40]
    settings = {"outbox": {"ram_readings": 64}}
    assert reading_wake.take(Full(), None, settings, None, {}, records, None) is None
    assert records == [b"r" * 40]


def test_a_reading_that_memory_has_no_room_for_is_left_to_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take = reading_wake.take

    def without_room(
        board: Any, clock: Any, settings: Any, log: Any, state: Any, records: Any, _pack: Any
    ) -> None:
        take(board, clock, settings, log, state, records, lambda *_: None)

    monkeypatch.setattr(reading_wake, "take", without_room)
    field = Field("esp32", _SENSORS, **_RHYTHM)
    field.run.play()
    assert field.machine.wakes > 8 and field.machine.read_alone == 0
    assert [one["seq"] for one in field.readings] == list(range(9))
