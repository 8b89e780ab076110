"""What a sleeping node owes across its sleeps: counts, commands, the time, slow sensors."""

import json
from collections import Counter

import pytest
from rigs.field import NODE, Field, ports

from fakes.habits import Habits
from firmware.readings.sensors import Sensors
from firmware.update import place
from firmware.update.doorway import Doorway
from simulation.board import SimulatedBoard
from simulation.scenario import BROKER, TIME_SERVER

_SENSORS = [{"type": "internal"}]


def _said(field: Field, text: str) -> list[float]:
    """When the node's log had this text: seconds of the run."""
    return [one[0] / 1e6 for one in field.run.world.trace if text in str(one[-1])]


# Dropped when it is taken, and when it does not fit into RTC memory.
@pytest.mark.parametrize(("flash_kib", "ram_readings"), [(0, 8), (0, 200), (8, 8), (8, 200)])
def test_what_is_dropped_in_an_outage_is_counted_and_the_count_is_published(
    flash_kib: int, ram_readings: int
) -> None:
    kept = {"flash_kib": flash_kib, "ram_readings": ram_readings}
    config = {"sample_s": 30, "health_s": 300, "retry": {"cap_s": 600}, "outbox": kept}
    field = Field("esp32", _SENSORS, hours=16.0, **config)
    spot, world = field.machine.access_point, field.run.world
    for start_s, end_s in ((600, 26_000), (30_000, 56_000)):
        world.at(int(start_s * 1e6), setattr, spot, "present", False)
        world.at(int(end_s * 1e6), setattr, spot, "present", True)
    field.run.play()
    arrived = {one["seq"] for one in field.readings}
    missing = max(arrived) + 1 - len(arrived)
    assert missing > 100
    assert field.health["dropped"] == missing
    assert field.health["corrupt"] == 0


@ports
def test_a_batch_told_to_leave_leaves_with_the_next_reading(port: str) -> None:
    mqtt = {"host": BROKER, "clean": False}
    field = Field(port, _SENSORS, hours=1.5, deliver_every=8, mqtt=mqtt)
    field.run.world.at(int(1000e6), field.machine.orders.send, "deliver")
    field.run.play()
    deliveries = sorted({round(one["at"] / 300) * 300 for one in field.readings})
    # Heard with the batch at 2400 s.
    assert deliveries == [0, 2400, 2700, 5100]


@ports
def test_a_node_told_to_identify_itself_is_awake_until_it_has_blinked(port: str) -> None:
    mqtt = {"host": BROKER, "clean": False}
    field = Field(port, _SENSORS, hours=0.4, deliver_every=1, led=True, mqtt=mqtt)
    field.run.world.at(int(700e6), field.machine.orders.send, "identify")
    field.run.play()
    heard, *_ = _said(field, '"ok": true')
    asleep = min(at for at in _said(field, "asleep for") if at > heard)
    assert 10 <= asleep - heard < 12


@ports
def test_a_time_server_that_does_not_answer_is_asked_ever_more_seldom(port: str) -> None:
    field = Field(port, _SENSORS, hours=16.0, ntp={"host": TIME_SERVER})
    net, world = field.run.net, field.run.world
    net.datagram_loss = 1.0
    world.at(int(8 * 3600e6), setattr, net, "datagram_loss", 0.0)
    field.run.play()
    ends = _said(field, "asleep for")
    # Longer than a wake that listens for late commands.
    slow = [at for at in field.times() if min(end for end in ends if end >= at) - at > 2.9]
    assert 5 <= len([at for at in slow if at < 8 * 3600]) < 14
    # What it waits is in proportion to what it has waited.
    assert len(_said(field, "time: set by")) == 1


@ports
def test_a_sensor_slower_than_the_limit_leaves_the_radio_its_time(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sensors, "start", lambda *_: 6000)
    field = Field(port, _SENSORS, awake_limit_s=5)
    field.run.play()
    assert Counter(one["seq"] for one in field.readings) == Counter(range(12))
    assert not _said(field, "the rest must wait")


@pytest.mark.parametrize(
    ("port", "mode"), [("rp2", "duty_cycle"), ("rp2", "always_on"), ("esp32", "always_on")]
)
def test_what_an_outage_dropped_is_told_though_the_node_restarted_in_it(
    port: str, mode: str
) -> None:
    kept = {"flash_kib": 8, "ram_readings": 8}
    config = {"mode": mode, "sample_s": 30, "health_s": 300, "retry": {"cap_s": 600}}
    field = Field(port, _SENSORS, hours=10.0, **config, outbox=kept)
    machine, world = field.machine, field.run.world

    def vanish() -> None:
        machine.access_point.present = False
        machine.radio.lost(False)

    def come_back() -> None:
        machine.access_point.present = True
        machine.radio.back()

    world.at(int(600e6), vanish)
    world.at(int(26_000e6), come_back)
    field.run.play()
    assert machine.restarts >= 2
    assert machine.ledger.passed_over > 500
    assert field.health["dropped"] == machine.ledger.passed_over


def _answers(field: Field) -> list[tuple[float, str]]:
    """When each command was answered: seconds of the run, and its id."""
    found: list[tuple[float, str]] = []
    field.run.broker.watch(
        f"fieldpost/{NODE}/cmd/result",
        lambda one: found.append((field.run.world.now_us / 1e6, json.loads(one.payload)["id"])),
    )
    return found


@pytest.mark.parametrize("delay_ms", [0, 30, 120, 400])
@ports
def test_a_command_that_a_broker_sends_late_is_taken_and_the_next_one_at_once(
    port: str, delay_ms: int
) -> None:
    field = Field(port, _SENSORS, hours=3.0)
    field.run.broker.habits = Habits(queue_delay_ms=delay_ms)
    answers, world = _answers(field), field.run.world
    for at_s in (1000, 7000, 9000):
        world.at(int(at_s * 1e6), field.machine.orders.send, "outbox")
    field.run.play()
    assert [name for _, name in answers] == ["c1", "c2", "c3"]
    first, second, third = [at for at, _ in answers]
    assert first < 16 * 300 + 310, "no later than in the sixteenth delivery"
    # How late they come is known from then on, over every sleep.
    assert 7200 <= second < 7210 and 9000 <= third < 9010


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_wake_waits_for_commands_no_longer_than_its_broker_needs(port: str) -> None:
    """The awake time that docs/battery.md tells of."""
    spans = {}
    for delay_ms in (0, 120):
        field = Field(port, _SENSORS, hours=6.0)
        field.run.broker.habits = Habits(queue_delay_ms=delay_ms)
        for at_s in (1000, 10_000):
            field.run.world.at(int(at_s * 1e6), field.machine.orders.send, "outbox")
        field.run.play()
        ends, starts = _said(field, "asleep for"), field.times()
        spans[delay_ms] = [min(end for end in ends if end >= at) - at for at in starts]
    quick, late = (sorted(spans[delay_ms][-20:])[10] for delay_ms in (0, 120))
    assert late - quick == pytest.approx(0.22, abs=0.06)
    # Until the first command has come one delivery in sixteen listens for half a second.
    longest = [span for span in spans[0][:3] if span > quick + 0.4]
    assert len(longest) <= 1


def test_the_processor_is_at_its_full_speed_again_when_a_wake_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow: list[bool] = []
    monkeypatch.setattr(SimulatedBoard, "throttle", lambda _, on: slow.append(on))
    Field("rp2", [{"type": "simulated"}]).run.play()
    assert True in slow, "it waits for the network at a slow clock"
    assert slow[-1] is False or slow[-2] is False
    assert slow.count(False) >= 11, "in each wake of the hour"


@ports
def test_a_wake_lasts_until_the_node_has_told_which_firmware_runs(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is known by is the hash of its pack, which takes longer than a wake: begun anew at
    each, it would never be told, and nothing would be offered."""
    field = Field(port, _SENSORS, hours=1.0, deliver_every=1)
    world, files = field.run.world, field.machine.flash.files
    files["update.keys"] = json.dumps({"counter": 1, "keys": ["0" * 768]}).encode()
    files["firmware.pack"] = b"FPK1" + bytes(200_000)
    monkeypatch.setattr(place, "running_pack", lambda: "/firmware.pack")
    step = Doorway.step

    def slowly(door: Doorway, node: object) -> bool:
        world.sleep_ms(20)
        return step(door, node)

    monkeypatch.setattr(Doorway, "step", slowly)
    told: list[float] = []
    field.run.broker.watch(f"fieldpost/{NODE}/update", lambda _: told.append(world.now_us / 1e6))
    field.run.play()
    assert told and told[0] < 10, "in the first wake, and once"
    assert len(told) == 1 and Counter(one["seq"] for one in field.readings) == Counter(range(12))
