"""Wi-Fi is joined within a deadline, or the reason is named; no port's half-truth is believed."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.clock import TICKS_PERIOD, FakeTime
from fakes.machine import Chip, load_board
from fakes.radio import FakeRadio
from firmware.clock import Clock
from firmware.net.wifi import JoinFailed, Station

HOME = ("home", "password1")
BARN = ("barn", "password2")
MODELS = ["ESP32", "RP2040"]
# Raw status numbers: idle, joining, associated without an address, up, no AP, wrong password.
IDLE, JOINING, JOINED, UP, NO_AP, WRONG = range(6)
RAW = {"ESP32": [1000, 1001, 1001, 1010, 201, 202], "RP2040": [0, 1, 2, 3, -2, -3]}


class Bench:
    def __init__(self, model: str, *networks: tuple[str, str], **options: Any) -> None:
        self.model = model
        epoch = 2000 if model == "ESP32" else 1970
        self.time = FakeTime(start_ticks_ms=TICKS_PERIOD - 3000, epoch_year=epoch)
        self.chip = Chip(model, self.time)
        self.board = load_board(self.chip)
        self.network = self.chip.network
        self.station = Station(
            self.board.radio, Clock(self.time), list(networks) or [HOME], **options
        )

    def script(self, *joins: list[tuple[int, int]]) -> None:
        """What each join shows: [(ms, one of the names above), …]."""
        raw = RAW[self.model]
        self.network.script = [[(at, raw[name]) for at, name in join] for join in joins]

    def join(self, limit_ms: int = 120_000) -> int:
        """Steps until up; ms it took. JoinFailed as the station raises it."""
        begun = self.time.elapsed_ms
        self.station.start()
        while not self.station.step():
            self.time.sleep_ms(50)
            assert self.time.elapsed_ms - begun < limit_ms, "the station hangs"
        return self.time.elapsed_ms - begun

    def failure(self) -> str:
        with pytest.raises(JoinFailed) as caught:
            self.join()
        assert str(caught.value) == self.station.failure
        assert not self.station.is_up()
        return str(caught.value)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def test_joins_with_what_it_was_given(model: str) -> None:
    bench = Bench(model, hostname="barn-3", country="GB", power="powersave")
    bench.script([(0, JOINING), (1200, UP)])
    assert 1200 <= bench.join() < 1300
    assert bench.station.network == "home"
    assert bench.station.failure is None
    assert bench.network.connects[0]["ssid"] == "home"
    assert bench.network.connects[0]["key"] == "password1"
    assert bench.network.country_at_start == "GB"
    assert bench.network.settings["hostname"] == "barn-3"
    assert bench.network.settings["pm"] == (2 if model == "ESP32" else 0x11)


def test_starting_twice_joins_once(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (1200, UP)])
    bench.station.start()
    bench.join()
    bench.station.start()
    assert bench.station.step()
    assert len(bench.network.connects) == 1


def test_an_idle_moment_while_joining_is_no_failure(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, IDLE), (300, JOINING), (700, IDLE), (900, JOINING), (2000, UP)])
    bench.join()
    assert len(bench.network.connects) == 1


def test_associated_without_an_address_is_waited_for(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (500, JOINED), (9000, UP)])
    assert 9000 <= bench.join() < 9100
    assert len(bench.network.connects) == 1


def test_no_address_by_the_deadline_is_named(model: str) -> None:
    bench = Bench(model, join_timeout_ms=15_000)
    bench.network.lease = ""
    bench.script([(0, JOINING), (500, JOINED if model == "RP2040" else UP)])
    assert bench.failure() == "no address"
    assert 15_000 <= bench.time.elapsed_ms < 15_200


def test_up_with_no_address_is_not_up(model: str) -> None:
    bench = Bench(model)
    bench.network.lease = ""
    bench.script([(0, UP)])
    bench.station.start()
    bench.time.sleep_ms(5000)
    assert not bench.station.step()
    assert not bench.station.is_up()


def test_a_missing_access_point_is_named(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (2400, NO_AP)])
    assert bench.failure() == "no such access point"
    assert bench.time.elapsed_ms < 12_000
    assert len(bench.network.connects) == 2


def test_a_network_that_was_not_joined_is_left(model: str) -> None:
    bench = Bench(model)
    left: list[bool] = []
    leave = bench.board.radio.leave
    bench.board.radio.leave = lambda: left.append(True) or leave()
    bench.script([(0, JOINING), (2400, NO_AP)])
    bench.station.start()
    before = len(left)
    while bench.station.failure is None:
        bench.time.sleep_ms(50)
        try:
            bench.station.step()
        except JoinFailed:
            break
    assert len(left) >= before + 2, "after the first attempt, and at the end"


def test_a_wrong_password_is_named(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (1500, WRONG)])
    assert bench.failure() == "wrong password"


def test_a_right_password_called_wrong_gets_a_second_attempt(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (1500, WRONG)], [(0, JOINING), (1500, UP)])
    bench.join()
    assert bench.station.is_up()


def test_a_radio_that_only_goes_on_joining_times_out(model: str) -> None:
    bench = Bench(model, join_timeout_ms=8000)
    bench.script([(0, JOINING)])
    assert bench.failure() == "timed out"
    assert bench.time.elapsed_ms == 8000, "looked at each 50 ms"


def test_any_other_status_is_reported_by_its_number(model: str) -> None:
    bench = Bench(model)
    raw = 203 if model == "ESP32" else -1
    bench.network.script = [[(0, RAW[model][JOINING]), (900, raw)]]
    assert bench.failure() == f"failed (status {raw})"


def test_after_a_failure_it_rests_until_it_is_started_again(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (2400, NO_AP)])
    bench.failure()
    joins = len(bench.network.connects)
    with pytest.raises(JoinFailed, match="no such access point"):
        bench.station.step()
    assert len(bench.network.connects) == joins
    bench.script([(0, JOINING), (1000, UP)])
    bench.join()


def test_networks_are_tried_in_order_each_with_its_own_deadline(model: str) -> None:
    bench = Bench(model, HOME, BARN, join_timeout_ms=6000)
    bench.script([(0, JOINING)], [(0, JOINING), (1000, UP)])
    assert 7000 <= bench.join() < 7200
    assert bench.station.network == "barn"
    assert [one["ssid"] for one in bench.network.connects] == ["home", "barn"]


def test_the_network_that_was_joined_last_is_tried_first(model: str) -> None:
    bench = Bench(model, HOME, BARN, join_timeout_ms=6000)
    bench.script([(0, JOINING)], [(0, JOINING), (1000, UP)])
    bench.join()
    bench.station.leave()
    bench.time.sleep_ms(1000)
    bench.join()
    assert [one["ssid"] for one in bench.network.connects] == ["home", "barn", "barn"]


def test_of_several_failures_the_telling_one_is_reported(model: str) -> None:
    bench = Bench(model, HOME, BARN)
    bench.script(
        [(0, JOINING), (1000, WRONG)], [(0, JOINING), (1000, WRONG)], [(0, JOINING), (1000, NO_AP)]
    )
    assert bench.failure() == "wrong password"


def test_what_befell_one_network_is_not_told_of_the_next(model: str) -> None:
    bench = Bench(model, HOME, BARN, join_timeout_ms=6000)
    absent = [(0, JOINING), (1000, NO_AP)]
    bench.script(absent, absent, [(0, JOINING)])
    assert bench.failure() == "timed out"


def test_another_networks_old_address_is_not_taken_for_this_ones(model: str) -> None:
    bench = Bench(model, HOME, BARN, join_timeout_ms=6000)
    bench.script([(0, JOINING), (500, UP)])
    bench.join()
    bench.station.leave()
    bench.script([(0, JOINING)])
    bench.network.lease = ""
    bench.failure()
    assert bench.board.radio.address() == ""


@pytest.mark.parametrize("wait_ms", [0, 5, 30, 1000])
def test_right_after_leaving_the_old_state_is_not_believed(model: str, wait_ms: int) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (800, UP)])
    bench.join()
    bench.station.leave()
    bench.time.sleep_ms(wait_ms)
    assert not bench.station.is_up()
    bench.script([(0, UP), (40, JOINING), (2000, UP)])
    bench.station.start()
    while not bench.station.step():
        bench.time.sleep_ms(5)
    assert bench.time.elapsed_ms >= 2800 + wait_ms


def test_a_state_that_lasts_half_a_second_after_leaving_is_no_old_one(model: str) -> None:
    bench = Bench(model)
    bench.script([(0, JOINING), (800, UP)])
    bench.join()
    bench.station.leave()
    bench.script([(0, UP)])
    begun_ms = bench.time.elapsed_ms
    bench.station.start()
    while not bench.station.step():
        bench.time.sleep_ms(1)
    assert bench.time.elapsed_ms - begun_ms == 500


def test_rejoins_when_the_access_point_vanished(model: str) -> None:
    bench = Bench(model)
    lost = 200 if model == "ESP32" else 0
    raw = RAW[model]
    bench.network.script = [[(0, raw[JOINING]), (800, raw[UP]), (60_000, lost)]]
    bench.join()
    bench.time.sleep_ms(60_000)
    assert not bench.station.is_up()
    bench.network.script = [[], [(0, raw[JOINING]), (900, raw[UP])]]
    assert not bench.station.step()
    bench.join()
    assert bench.station.is_up()


def test_a_second_connect_never_meets_the_first(model: str) -> None:
    """ESP32's 'Wifi Internal Error': connect() while connected or connecting."""
    bench = Bench(model, HOME, BARN, join_timeout_ms=3000)
    bench.script([(0, JOINING)])
    for _ in range(3):
        bench.failure()
    assert len(bench.network.connects) == 6


def test_a_radio_that_refuses_is_switched_off_and_tried_again(model: str) -> None:
    bench = Bench(model)
    bench.network.refusals = [OSError(1)]
    bench.script([(0, JOINING), (500, UP)])
    bench.join()
    assert bench.station.is_up()


@pytest.mark.parametrize(
    "refusal", [OSError(1), RuntimeError("Wifi Unknown Error 0x0102"), ValueError("key")]
)
def test_what_the_radio_always_refuses_is_a_failure_in_words(
    model: str, refusal: Exception
) -> None:
    bench = Bench(model)
    bench.network.refusals = [refusal] * 4
    assert bench.failure() == f"failed ({refusal})"


def test_a_status_left_from_the_attempt_before_is_not_believed_at_once() -> None:
    """ESP32 shows 201 while a new attempt runs, until that one has an outcome."""
    bench = Bench("ESP32")
    bench.network.script = [[(2400, 201)], [(5000, 1010)]]
    bench.join()
    assert len(bench.network.connects) == 2


def test_the_bssid_of_the_last_success_saves_the_scan_once() -> None:
    bench = Bench("RP2040")
    bench.script([(0, JOINING), (500, UP)])
    bench.join()
    assert bench.station.hint == ("home", b"\xde\xad\xbe\xef\x00\x01", 6)
    bench.station.leave()
    bench.script([], [(0, JOINING), (900, NO_AP)], [(0, JOINING), (900, UP)])
    bench.join()
    first, hinted, plain = bench.network.connects
    assert (first["bssid"], first["channel"]) == (None, None)
    assert (hinted["bssid"], hinted["channel"]) == (b"\xde\xad\xbe\xef\x00\x01", 6)
    assert (plain["bssid"], plain["channel"]) == (None, None)


def test_a_hint_kept_over_a_sleep_chooses_the_network() -> None:
    bench = Bench("RP2040", HOME, BARN)
    bench.station.hint = ("barn", b"\x01\x02\x03\x04\x05\x06", 11)
    bench.join()
    assert bench.network.connects[0]["ssid"] == "barn"
    assert bench.network.connects[0]["channel"] == 11


def test_a_hint_that_leads_nowhere_leaves_time_for_a_plain_attempt() -> None:
    bench = Bench("RP2040", join_timeout_ms=10_000)
    bench.station.hint = ("home", b"\x01\x02\x03\x04\x05\x06", 11)
    bench.script([(0, JOINING)], [(0, JOINING), (1000, UP)])
    assert bench.join() < 10_000


def test_a_static_address_is_set_before_the_join(model: str) -> None:
    static = ("10.1.2.3", "255.255.255.0", "10.1.2.1", "10.1.2.1")
    bench = Bench(model, static=static)
    bench.join()
    assert bench.network.static == static
    assert bench.board.radio.address() == "10.1.2.3"


def test_an_address_that_is_kept_is_that_of_its_own_network(model: str) -> None:
    lease = ("10.1.2.3", "255.255.255.0", "10.1.2.1", "10.1.2.1")
    for ssid, keeps, static in (
        ("home", True, lease),
        ("home", False, None),
        ("barn", True, None),
    ):
        bench = Bench(model)
        bench.station.lease, bench.station.keeps_lease = (ssid, lease), keeps
        bench.join()
        assert bench.network.static == static
    bench = Bench(model, static=(own := ("10.9.9.9", *lease[1:])))
    bench.station.lease, bench.station.keeps_lease = ("home", lease), True
    bench.join()
    assert bench.network.static == own, "what is configured comes first"


def test_a_power_cycle_switches_the_radio_off_and_start_on(model: str) -> None:
    bench = Bench(model)
    bench.join()
    bench.station.power_cycle()
    assert bench.board.radio.state() == "off"
    assert not bench.station.is_up()
    bench.join()


def test_a_host_without_networks_uses_its_own() -> None:
    time = FakeTime()
    station = Station(FakeRadio(time, {"": ""}, join_ms=0), Clock(time), [])
    station.start()
    assert station.step()
