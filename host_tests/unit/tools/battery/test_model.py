"""What the battery model promises: the sums that docs/battery.md works by hand, and its laws."""

import json
import random
from dataclasses import fields, replace
from typing import Any

import pytest

from fieldpost.battery.boards import BOARDS, WAKE_START, Board
from fieldpost.battery.cells import CELLS, Cell
from fieldpost.battery.draw import Sensor, sensor
from fieldpost.battery.levers import levers
from fieldpost.battery.model import (
    CASES,
    Node,
    awake_ms,
    cell_ua,
    charge_mc,
    days,
    delivering_wake,
    life_days,
    node_from,
    sampling_wake,
    use,
)
from fieldpost.battery.ranges import Range, exactly
from fieldpost.paths import ROOT
from firmware.config.check import check

NOTHING = exactly(0)
SILENT = Sensor("silent", 0, NOTHING, NOTHING)
PERFECT = Cell("perfect", 3.7, 3.0, 1000, exactly(1), exactly(0), ((20.0, 1.0),), "")


def board(**figures: Any) -> Board:
    """A board that takes nothing, but for these figures."""
    nothing = {one.name: NOTHING for one in fields(Board) if one.type is Range}
    rest = {"title": "test", "switching_v": 0, "sources": {}}
    return Board(**(nothing | rest | figures))


def node(on: Board, **changes: Any) -> Node:
    plain = Node(
        board=on,
        sensors=(SILENT,),
        duty_cycle=True,
        sample_s=600,
        deliver_every=1,
        join="static",
        has_static_address=True,
        power="performance",
        awake_limit_s=15,
    )
    return replace(plain, **changes)


# The published cases of docs/battery.md ----------------------------------------------------------

# glenn20/upy-esp32-experiments: an ESP32 to _boot.py 70 ms, 3.32 mC; joined with a fixed address
# 734 ms, 100.2 mC; and MQTT 774 ms, 108.6 mC; the file system adds 350 ms, 23.6 mC; DHCP makes
# 734 ms, 100.2 mC into 1626 ms, 204.3 mC; the board draws 15 mA asleep.
MEASURED_ESP32 = board(
    boot_ms=exactly(70),
    measuring_boot_ms=exactly(70),
    boot_ma=exactly(3.32 / 0.070),
    scan_ms=exactly(664),
    radio_ma=exactly(96.88 / 0.664),
    connect_ms=exactly(40),
    sleep_ua=exactly(15000),
)


def test_a_published_wake_on_an_esp32_comes_to_its_measured_charge() -> None:
    wake = delivering_wake(node(MEASURED_ESP32), "middle")
    assert awake_ms(wake) == pytest.approx(774)
    # The model's connect draws what the join draws, 145.9 mA; measured were 8.4 mC in 40 ms.
    assert charge_mc(wake) == pytest.approx(106.04, abs=0.01)
    assert charge_mc(wake) == pytest.approx(108.6, rel=0.025)


def test_the_same_wake_from_a_stock_image_lasts_a_week_on_that_board() -> None:
    stock = replace(MEASURED_ESP32, loader_ms=exactly(70), boot_ms=exactly(350))
    stock = replace(stock, boot_ma=exactly((3.32 + 23.6) / 0.420))
    found = node(stock)
    wake = delivering_wake(found, "middle")
    assert awake_ms(wake) == pytest.approx(1124)
    assert charge_mc(wake) == pytest.approx(26.92 + 96.88 + 5.836, abs=0.01)
    # (129.64 mC + 15 mA * 598.876 s) / 600 s = 15.188 mA; 2600 mAh / 15.188 mA = 171.2 h.
    assert use(found, "middle").average_ua == pytest.approx(15188, abs=1)
    cell = replace(PERFECT, capacity_mah=2600)
    assert days(found, cell, "middle") == pytest.approx(7.133, abs=0.002)


def test_dhcp_costs_what_was_published_for_it() -> None:
    with_dhcp = replace(MEASURED_ESP32, dhcp_ms=exactly(892), connect_ms=NOTHING)
    wake = delivering_wake(node(with_dhcp, join="scan", has_static_address=False), "middle")
    assert awake_ms(wake) == pytest.approx(1626)
    # Measured: 204.3 mC. While a node waits for DHCP its radio draws less than while it joins.
    assert charge_mc(wake) == pytest.approx(230.3, abs=0.1)


def test_a_published_cycle_of_five_minutes_gives_the_published_days() -> None:
    # pokewithastick.net, 2022-02-12: 25.95 mC in a cycle of 5 minutes, 1200 mAh: 578 days.
    all_in_one = board(boot_ms=exactly(1000), boot_ma=exactly(25.95))
    found = node(all_in_one, sample_s=300)
    assert use(found, "low").average_ua == pytest.approx(86.5)
    cell = replace(PERFECT, capacity_mah=1200)
    assert days(found, cell, "low") == pytest.approx(578.03, abs=0.01)


def test_a_published_duty_cycle_gives_the_published_days() -> None:
    # A question on MicroPython's forum: 40 wakes a day of 10 s at 120 mA, 10 uA asleep, 1000 mAh:
    # 13.3 + 0.2388 mAh a day, 73.8 days (unrounded 13.333 + 0.2389: 73.68).
    always_ten_s = board(boot_ms=exactly(10_000), boot_ma=exactly(120), sleep_ua=exactly(10))
    found = node(always_ten_s, sample_s=2160)
    assert use(found, "high").average_ua * 24 / 1000 == pytest.approx(13.5722, abs=0.0001)
    assert days(found, PERFECT, "high") == pytest.approx(73.68, abs=0.01)


def test_self_discharge_alone_and_together_with_a_load() -> None:
    # 10 % a year: after 1 year of no load 900 mAh are left; so a load that takes what is left
    # after a year, spread over it, is 1000 s' / (exp(s') - 1) mAh, s' = ln(1 / 0.9) = 0.10536.
    leaking = replace(PERFECT, self_discharge=exactly(10))
    mah_a_year = 1000 * 0.1053605 / (1 / 0.9 - 1)
    average_ua = mah_a_year / (365.25 * 24) * 1000
    assert life_days(leaking, average_ua, "low") == pytest.approx(365.25, rel=1e-5)
    assert life_days(leaking, average_ua, "low") < life_days(PERFECT, average_ua, "low")


# Where the charge goes ---------------------------------------------------------------------------


def test_a_sensor_that_is_slower_than_the_join_is_waited_for_and_a_faster_one_costs_no_time() -> (
    None
):
    radio = board(scan_ms=exactly(500), radio_ma=exactly(100), idle_ma=exactly(20))
    slow = Sensor("slow", 2000, exactly(1), NOTHING)
    phases = {one.name: one for one in delivering_wake(node(radio, sensors=(slow,)), "low")}
    assert phases["sample"].ms == pytest.approx(1500)
    assert phases["sample"].ma == pytest.approx(21)
    assert phases["join"].ma == pytest.approx(101)
    quick = slow._replace(sample_ms=250)
    phases = {one.name: one for one in delivering_wake(node(radio, sensors=(quick,)), "low")}
    assert "sample" not in phases
    assert phases["join"].mc == pytest.approx(50 + 0.25)


def test_a_median_takes_so_many_times_as_long_and_every_nth_reading_an_nth_of_it() -> None:
    one = {"type": "dht", "model": "DHT22"}
    assert sensor(one, 3.7).sample_ms == 2000
    assert sensor(one | {"median": 3}, 3.7).sample_ms == 6000
    assert sensor(one | {"median": 3, "every": 12}, 3.7).sample_ms == 500


def test_sensors_charge_is_counted_once_however_the_wake_is_cut() -> None:
    sensors = tuple(Sensor("one", ms, exactly(2), NOTHING) for ms in (10, 300, 900, 2500))
    mc = 2 * (10 + 300 + 900 + 2500) / 1000
    on = board(radio_start_ms=exactly(200), scan_ms=exactly(600))
    assert charge_mc(delivering_wake(node(on, sensors=sensors), "low")) == pytest.approx(mc)
    assert charge_mc(sampling_wake(node(on, sensors=sensors), "low")) == pytest.approx(mc)


def test_a_batch_joins_once_for_all_its_readings() -> None:
    boot_ms = exactly(100)
    on = board(
        boot_ms=boot_ms, measuring_boot_ms=boot_ms, boot_ma=exactly(10), reading_ms=exactly(5)
    )
    on = replace(on, scan_ms=exactly(1000), radio_ma=exactly(100))
    found = use(node(on, deliver_every=10, sample_s=60), "low")
    # 10 boots of 1 mC, one join of 100 mC, 10 readings of 0.5 mC in 600 s.
    assert found.average_ua == pytest.approx((10 + 100 + 5) / 600 * 1000)


def test_a_fast_rejoin_pays_for_the_ones_that_fail() -> None:
    on = board(
        scan_ms=exactly(3000),
        dhcp_ms=exactly(1000),
        rejoin_ms=exactly(500),
        miss_share=exactly(0.1),
        radio_ma=exactly(100),
    )
    rejoin = node(on, join="rejoin", has_static_address=False)
    # A lease of an hour, and a delivery every 10 minutes: each seventh asks DHCP again.
    rejoin = replace(rejoin, lease_s=3600)
    expected_ms = 500 + 1000 / 7 + 0.1 * 4000
    assert awake_ms(delivering_wake(rejoin, "low")) == pytest.approx(expected_ms)
    hourly = replace(rejoin, deliver_every=12)
    expected_ms = 500 + 1000 + 0.1 * 4000
    assert awake_ms(delivering_wake(hourly, "low")) == pytest.approx(expected_ms)
    fixed = replace(rejoin, has_static_address=True)
    assert awake_ms(delivering_wake(fixed, "low")) == pytest.approx(500 + 0.1 * 3000)


def test_a_window_for_commands_is_paid_for_at_each_delivery() -> None:
    on = board(listen_ma=exactly(90))
    assert charge_mc(delivering_wake(node(on, listen_ms=200), "low")) == pytest.approx(18)
    assert charge_mc(sampling_wake(node(on, listen_ms=200), "low")) == 0


def test_a_switching_regulator_takes_the_same_power_at_any_voltage() -> None:
    pico, esp32 = BOARDS["pico-w"], BOARDS["esp32"]
    assert cell_ua(pico, replace(PERFECT, voltage_v=2.5), 1000) == pytest.approx(2000)
    assert cell_ua(esp32, replace(PERFECT, voltage_v=2.5), 1000) == 1000


def test_a_node_that_is_always_on_draws_its_radios_current() -> None:
    on = board(idle_ma=exactly(40), listen_ma=exactly(100))
    assert use(node(on, duty_cycle=False), "low").average_ua == pytest.approx(40_000)
    loud = node(on, duty_cycle=False, power="none")
    assert use(loud, "low").average_ua == pytest.approx(100_000)


def test_a_wake_longer_than_the_interval_never_sleeps() -> None:
    busy = node(board(boot_ms=exactly(5000), boot_ma=exactly(30)), sample_s=1)
    assert use(busy, "low").average_ua == pytest.approx(30_000)


def test_cold_takes_capacity_along_straight_lines() -> None:
    cell = CELLS["3xaa"]
    assert cell.share_at(20) == cell.share_at(60) == 1
    assert cell.share_at(10) == pytest.approx(0.825)
    assert cell.share_at(-20) == cell.share_at(-60) == 0.25


# Laws --------------------------------------------------------------------------------------------

CONFIGURED = (
    {"type": "dht", "model": "DHT22"},
    {"type": "dht", "model": "DHT11"},
    {"type": "ds18x20", "resolution": 12, "devices": None},
    {"type": "bme280"},
    {"type": "supply", "pin": 35},
    {"type": "internal"},
)


def any_node(source: random.Random) -> tuple[Node, Cell]:
    cell = CELLS[source.choice(list(CELLS))]
    chosen = source.sample(CONFIGURED, source.randint(1, 3))
    found = node(
        BOARDS[source.choice(list(BOARDS))],
        sensors=tuple(sensor(one, cell.voltage_v) for one in chosen),
        sample_s=source.choice([10, 60, 300, 3600, 86400]),
        deliver_every=source.choice([1, 2, 12, 100]),
        join=source.choice(["rejoin", "static", "scan"]),
        has_static_address=source.random() < 0.5,
        extra_ua=source.choice([0.0, 25.0]),
        lease_s=source.choice([0, 3600, 86400]),
        listen_ms=source.choice([0, 200]),
    )
    return found, cell


@pytest.mark.parametrize("seed", range(60))
def test_more_of_anything_never_lengthens_life(seed: int) -> None:
    found, cell = any_node(random.Random(seed))
    before = {case: days(found, cell, case, 10) for case in CASES}
    assert before["low"] <= before["middle"] <= before["high"]
    skipped = {"supply_v"}
    for one in fields(Board):
        if one.type is not Range or one.name in skipped:
            continue
        old: Range = getattr(found.board, one.name)
        greater = replace(found.board, **{one.name: Range(old.best * 1.3, old.worst * 1.3)})
        for case in CASES:
            after = days(replace(found, board=greater), cell, case, 10)
            assert after <= before[case] * (1 + 1e-9), (one.name, case)
    for case in CASES:
        assert days(replace(found, extra_ua=found.extra_ua + 10), cell, case, 10) < before[case]
        slower = replace(found, sample_s=found.sample_s * 2)
        assert days(slower, cell, case, 10) >= before[case] * (1 - 1e-9)
        larger = replace(cell, capacity_mah=cell.capacity_mah * 2)
        # Self-discharge takes its share of the larger cell too.
        assert before[case] < days(found, larger, case, 10) <= before[case] * 2 * (1 + 1e-9)
        batched = replace(found, deliver_every=found.deliver_every * 3)
        assert days(batched, cell, case, 10) >= before[case] * (1 - 1e-9)
        assert days(found, cell, case, -10) <= before[case]


@pytest.mark.parametrize("seed", range(60))
def test_the_shares_are_of_all_the_charge(seed: int) -> None:
    found, _ = any_node(random.Random(seed))
    for case in CASES:
        taken = use(found, case)
        assert sum(taken.shares.values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in taken.shares.values())
        mean_of_sleep = taken.shares["sleep"] * taken.average_ua
        assert mean_of_sleep <= taken.sleep_ua * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_levers_help_and_the_best_comes_first(seed: int) -> None:
    found, cell = any_node(random.Random(seed))
    offered = levers(found, cell, 20)
    gains = [lever.gain["middle"] for lever in offered]
    assert len(offered) <= 3
    assert gains == sorted(gains, reverse=True)
    assert all(gain > 1.005 for gain in gains)
    for lever in offered:
        for case in CASES:
            assert lever.days[case] == pytest.approx(
                lever.gain[case] * days(found, cell, case, 20)
            )
            assert lever.gain[case] >= 1 - 1e-9


def test_what_may_as_well_do_harm_is_no_lever() -> None:
    found = node(BOARDS["pico-w"], duty_cycle=False, sample_s=10, has_static_address=False)
    for lever in levers(found, CELLS["18650"], 20):
        assert min(lever.gain.values()) > 0.995, lever


def test_the_first_lever_of_a_node_that_is_always_on_is_the_duty_cycle() -> None:
    found = node(BOARDS["esp32-c3"], duty_cycle=False)
    assert levers(found, CELLS["18650"], 20)[0].title == '"mode": "duty_cycle"'


def test_every_figure_of_a_board_says_where_it_comes_from() -> None:
    for name, one in BOARDS.items():
        figures = {field.name for field in fields(Board) if field.type is Range}
        assert set(one.sources) == figures, name
        for figure in figures - {"supply_v"}:
            spread: Range = getattr(one, figure)
            assert 0 <= spread.best <= spread.worst, (name, figure)


# How the firmware waits --------------------------------------------------------------------------


def test_a_wait_for_a_sensor_is_slow_or_asleep_unless_the_sensor_talks_meanwhile() -> None:
    slow = Sensor("slow", 2000, NOTHING, NOTHING)
    on = board(cpu_ma=exactly(21), wait_ma=exactly(1.5))
    for listens, ma in ((False, 1.5), (True, 21)):
        *_, sample = sampling_wake(node(on, sensors=(slow,), listens_to_sensors=listens), "middle")
        assert (sample.name, sample.ms, sample.ma) == ("sample", 2000, ma)


def test_what_the_model_takes_from_the_firmware_is_what_the_firmware_does() -> None:
    from fieldpost.battery import model as battery_model
    from firmware.duty_cycle import wake

    assert battery_model._LISTEN_MS == wake._LISTEN_MS


def test_a_boot_is_the_start_of_the_measured_wake_and_at_worst_twice_as_long() -> None:
    boot_ms = BOARDS["esp32-c3"].boot_ms
    assert boot_ms == Range(62 + 257, 2 * (99 + 257))
    assert BOARDS["esp32-c3"].measuring_boot_ms == Range(62 + 94, 2 * (99 + 94))
    assert "benchmarks.md, section 7" in BOARDS["esp32-c3"].sources["boot_ms"]
    assert BOARDS["esp32"].boot_ms == boot_ms
    assert BOARDS["esp32"].sources["boot_ms"].startswith("as the ESP32-C3's: assumed")


def test_the_wake_that_is_published_has_not_left_the_estimate_behind() -> None:
    results = json.loads((ROOT / "docs/benchmarks/results.json").read_text())
    start = ("boot.py", "application loaded", "settings", "node built")
    published = {
        row["wake"]: sum(
            phase["cpu_ms"]
            for name, phase in row["phases"].items()
            if name in start or row["wake"] == "only reads"
        )
        for row in (results.get("phases") or {}).get("wakes", [])
        if (row["board"], row["code"]) == ("ESP32-C3", "now")
    }
    estimated = {"delivers": WAKE_START.delivering_ms, "only reads": WAKE_START.measuring_ms}
    for wake, ms in estimated.items():
        # A run without an ESP32-C3 publishes none.
        assert published.get(wake, ms) == pytest.approx(ms, rel=0.3), (
            "fieldpost/battery/boards.py, WAKE_START: take these figures"
        )


@pytest.mark.parametrize(
    "more",
    [
        {"awake_pin": 5},
        {"setup_pin": 5},
        {"outbox": {"durability": "reading"}},
        {"sensors": [{"type": "digital", "pin": 4, "wake": True}]},
    ],
)
def test_a_wake_that_only_measures_starts_sooner_unless_it_has_to_build_the_node(
    more: dict[str, Any],
) -> None:
    boots_ms = []
    for changes in ({}, more):
        config = {"node": "n", "mqtt": {"host": "h"}, "mode": "duty_cycle", **changes}
        settings, errors = check(config, {"wifi": [{"ssid": "s", "password": "12345678"}]})
        assert settings and not errors
        one = node_from(settings, BOARDS["esp32-c3"], CELLS["18650"], None)
        assert delivering_wake(one, "high")[0].ms == 48 + 319
        boots_ms.append(sampling_wake(one, "high")[0].ms)
    assert boots_ms == [48 + 156, 48 + 319]
