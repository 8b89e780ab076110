"""The Pico W's board tells resets apart, sleeps all of a sleep, and measures its own supply."""

import pytest

from fakes.machine import Chip, Reset, load_board

MODELS = ["RP2040", "RP2350"]


@pytest.fixture(params=MODELS)
def chip(request: pytest.FixtureRequest) -> Chip:
    chip = Chip(request.param)
    chip.readings_u16 = {29: round(5.0 / 3 / 3.3 * 65535), 4: round(0.706 / 3.3 * 65535)}
    return chip


def test_resets_that_the_chip_calls_the_same_are_told_apart(chip: Chip) -> None:
    board = load_board(chip)
    assert board.reset_cause() == "power-on"
    with pytest.raises(Reset):
        board.restart()
    assert chip.cause == 3
    board = load_board(chip)
    assert board.reset_cause() == "hard"
    with pytest.raises(Reset):
        board.deep_sleep(1000)
    assert chip.cause == 3
    board = load_board(chip)
    assert board.reset_cause() == "deep-sleep"
    board.start_watchdog(5000)
    chip.watchdog_reset()
    board = load_board(chip)
    assert board.reset_cause() == "watchdog"
    assert board.reset_cause() == "watchdog"
    chip.soft_reset()
    assert load_board(chip).reset_cause() == "soft"
    chip.power_on()
    assert load_board(chip).reset_cause() == "power-on"


def test_a_deep_sleep_cut_short_by_the_watchdog_is_not_called_a_wake(chip: Chip) -> None:
    board = load_board(chip)
    with pytest.raises(Reset):
        board.deep_sleep(1000)
    board = load_board(chip)
    board.start_watchdog(5000)
    chip.watchdog_reset()
    assert load_board(chip).reset_cause() == "watchdog"


def test_the_watchdog_is_clamped_to_what_the_chip_allows(chip: Chip) -> None:
    board = load_board(chip)
    assert board.start_watchdog(60_000) == 8388
    assert chip.watchdog_ms == 8388
    assert board.start_watchdog(4000) == 4000


def test_light_sleep_feeds_an_armed_watchdog(chip: Chip) -> None:
    board = load_board(chip)
    board.start_watchdog(8000)
    board.light_sleep(600_000)
    assert chip.time.elapsed_ms == 600_000
    assert chip.watchdog_ms == 8000


def test_sleeps_longer_than_the_chip_knows_and_goes_on_after_waking_early(chip: Chip) -> None:
    chip.sleep_stops = [0, 1, 0, 2_000_000]
    board = load_board(chip)
    board.light_sleep(20_000_000)
    assert 20_000_000 <= chip.time.elapsed_ms < 20_000_100


def test_a_deep_sleep_that_would_return_at_once_sleeps_all_the_same(chip: Chip) -> None:
    chip.sleep_stops = [0] * 10
    board = load_board(chip)
    with pytest.raises(Reset):
        board.deep_sleep(30_000)
    assert 30_000 <= chip.time.elapsed_ms < 30_100


class Edges:
    """A `Watch` (duty_cycle/watched_pins.py) that finds what happened during each light sleep."""

    def __init__(self, chip: Chip, *found: str) -> None:
        self.found = list(found)
        self.now = ""
        chip.on_light_sleep = self._next

    def _next(self) -> None:
        self.now = self.found.pop(0) if self.found else ""

    def stirred(self) -> bool:
        return bool(self.now)

    def changed(self) -> bool:
        return self.now == "input"


def test_a_pulse_does_not_end_a_light_sleep_and_costs_no_time_awake(chip: Chip) -> None:
    chip.sleep_stops = [10_000, 5_000, 20_000]
    board = load_board(chip)
    board.light_sleep(60_000, Edges(chip, "pulse", "pulse", "pulse"))
    assert chip.time.elapsed_ms == 60_000
    assert board.short_sleeps == 0


def test_an_input_ends_a_light_sleep_and_whatever_else_is_counted(chip: Chip) -> None:
    chip.sleep_stops = [10_000, 5_000, 20_000]
    board = load_board(chip)
    board.light_sleep(60_000, Edges(chip, "pulse", "", "input"))
    assert chip.time.elapsed_ms == 10_000 + 6_000 + 20_000
    assert board.short_sleeps == 1


@pytest.mark.parametrize("left_ms", [0, 40])
def test_an_input_ends_a_light_sleep_at_the_very_end_of_a_slice(chip: Chip, left_ms: int) -> None:
    board = load_board(chip)
    board.start_watchdog(8000)
    chip.sleep_stops = [4000 - left_ms]
    board.light_sleep(60_000, Edges(chip, "input"))
    assert chip.time.elapsed_ms == 4000 - left_ms
    assert board.short_sleeps == 0


def test_the_supply_is_read_while_the_radio_is_off(chip: Chip) -> None:
    board = load_board(chip)
    assert board.supply_mv() == pytest.approx(5000, abs=5)
    # The pins are given back, and the divider no longer draws.
    assert (chip.pins[29].mode, chip.pins[29].alt) == (3, 7)
    assert chip.pins[25].level == 0


def test_with_the_radio_on_the_supply_is_what_was_read_before(chip: Chip) -> None:
    board = load_board(chip)
    board.supply_mv()
    chip.readings_u16[29] //= 2
    board.radio.on()
    assert board.supply_mv() == pytest.approx(5000, abs=5)
    board.radio.off()
    assert board.supply_mv() == pytest.approx(2500, abs=5)


def test_a_supply_never_read_is_unknown_not_a_tenth_of_a_volt(chip: Chip) -> None:
    board = load_board(chip)
    board.radio.on()
    assert board.supply_mv() is None


@pytest.mark.parametrize("how", ["led", "soft reset"])
def test_a_radio_chip_that_runs_without_being_active_is_not_disturbed(
    chip: Chip, how: str
) -> None:
    board = load_board(chip)
    if how == "led":
        board.led(True)
    else:
        board.radio.on()
        chip.soft_reset()
        chip.network.is_active = False
        board = load_board(chip)
    assert chip.network.powered
    assert board.supply_mv() is None
    board.radio.off()
    assert not chip.network.powered
    assert board.supply_mv() == pytest.approx(5000, abs=5)


def test_building_a_board_leaves_the_radio_chip_off(chip: Chip) -> None:
    load_board(chip)
    assert not chip.network.powered


def test_switching_off_leaves_no_radio_to_end_a_sleep(chip: Chip) -> None:
    board = load_board(chip)
    board.radio.join("home", "password1")
    assert chip.network.powered
    board.radio.off()
    board.radio.off()
    assert not chip.network.powered


def test_the_temperature_follows_the_datasheet(chip: Chip) -> None:
    assert load_board(chip).die_temperature_c() == pytest.approx(27, abs=0.1)


@pytest.mark.parametrize("pin", [23, 24, 25, 29])
def test_no_sensor_gets_a_pin_that_the_radio_hangs_on(chip: Chip, pin: int) -> None:
    board = load_board(chip)
    for use in (lambda: board.pin(pin), lambda: board.adc(pin)):
        with pytest.raises(ValueError, match=f"pin {pin} is the flash memory's or the radio's"):
            use()
    board.pin(22)


def test_an_analogue_pin_reads_microvolts(chip: Chip) -> None:
    chip.readings_u16[26] = 65535
    assert load_board(chip).adc(26).read_uv() == 3_300_000


def test_the_clock_is_set_in_utc_and_believed_only_then(chip: Chip) -> None:
    board = load_board(chip)
    assert not board.clock_is_set()
    board.set_unix_s(1_795_368_917)
    assert chip.time.time() == 1_795_368_917
    assert board.clock_is_set()


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (0, "idle"),
        (1, "joining"),
        (2, "joined"),
        (3, "up"),
        (-1, "failed"),
        (-2, "no-ap"),
        (-3, "wrong-password"),
        (-9, "failed"),
    ],
)
def test_every_status_has_its_meaning(chip: Chip, raw: int, state: str) -> None:
    board = load_board(chip)
    assert board.radio.state() == "off"
    chip.network.script = [[(0, 1), (500, raw)]]
    board.radio.join("home", "password1")
    assert board.radio.state() == "joining"
    chip.time.sleep_ms(600)
    assert board.radio.state() == state


def test_a_stale_address_after_leaving_does_not_make_it_up(chip: Chip) -> None:
    board = load_board(chip)
    board.radio.join("home", "password1")
    assert board.radio.state() == "up"
    board.radio.leave()
    assert board.radio.address() == "192.168.1.7"
    assert board.radio.state() == "idle"
    assert board.radio.rssi() is None


@pytest.mark.parametrize("what", ["radio", "led"])
def test_ctrl_c_while_the_radio_chip_starts_is_heeded_and_leaves_no_lock_taken(
    chip: Chip, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    board = load_board(chip)
    monkeypatch.setattr("sys.stdin", chip)
    chip.typed_at_start = "\r\x03\r\x01"
    with pytest.raises(KeyboardInterrupt):
        board.radio.on() if what == "radio" else board.led(True)
    assert not chip.is_stuck
    # What was typed after it is for the prompt, and the next one interrupts as ever.
    assert (chip.typed, chip.interrupt_character) == ("\r\x01", 3)


def test_what_is_typed_while_the_radio_chip_starts_is_not_taken_for_ctrl_c(
    chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(chip)
    monkeypatch.setattr("sys.stdin", chip)
    chip.typed_at_start = "help()\r"
    board.radio.on()
    assert board.radio.state() == "idle"


def test_the_country_is_set_before_the_radio_starts(chip: Chip) -> None:
    load_board(chip).radio.on(country="DE", hostname="n" * 40, power="none")
    assert chip.network.country_at_start == "DE"
    assert chip.network.settings["hostname"] == "n" * 32
    assert chip.network.settings["pm"] == 0x10


def test_back_to_dhcp_after_a_static_address_does_not_keep_it(chip: Chip) -> None:
    radio = load_board(chip).radio
    radio.join("home", "pw", static=("10.1.2.3", "255.255.255.0", "10.1.2.1", "10.1.2.1"))
    assert radio.address() == "10.1.2.3"
    chip.network.script = [[], [(0, 1), (500, 2), (900, 3)]]
    radio.join("home", "pw")
    assert radio.address() == ""
    chip.time.sleep_ms(1000)
    assert radio.state() == "up"
    assert radio.address() == "192.168.1.7"


def test_a_name_look_up_longer_than_the_watchdog_is_fed_through_and_not_for_ever(
    chip: Chip,
) -> None:
    board = load_board(chip)
    board.start_watchdog(8000)
    assert chip.block(12_000), "without patience it bites"
    board.feed()
    board.hold_watchdog(30_000)
    assert not chip.block(25_000)
    assert chip.block(30_000)
    board.hold_watchdog(0)
    assert chip.timers == []


def test_a_person_who_took_over_is_not_reset(chip: Chip) -> None:
    board = load_board(chip)
    board.start_watchdog(8000)
    board.let_go()
    assert not chip.block(600_000)
