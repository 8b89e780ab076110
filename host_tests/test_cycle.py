"""What a sleeping node owes across its sleeps: counts, commands, the time, slow sensors."""

import pytest
from test_wake_pins import Field, ports

from simulation.scenario import BROKER

_SENSORS = [{"type": "internal"}]


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
