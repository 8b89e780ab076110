"""ESP32's board tells resets apart, keeps memory over them, and sleeps as long as asked."""

import random
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.machine import Chip, Reset, load_board


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (1, "power-on"),
        (2, "hard"),
        (3, "watchdog"),
        (4, "deep-sleep"),
        (5, "soft"),
        (0, "unknown"),
        (9, "unknown"),
    ],
)
def test_every_reset_cause_has_its_name(number: int, cause: str) -> None:
    chip = Chip("ESP32")
    chip.cause = number
    assert load_board(chip).reset_cause() == cause


def test_the_version_names_chip_and_interpreter() -> None:
    board = load_board(Chip("ESP32S3"))
    assert board.version_text.startswith("ESP32S3 MicroPython ")
    assert board.uid() == "e6614c311b5a2f35"


@pytest.mark.parametrize("model", ["ESP32", "ESP32C3"])
def test_the_temperature_is_in_celsius_on_every_chip(model: str) -> None:
    assert load_board(Chip(model)).die_temperature_c() == pytest.approx(55)


def test_retained_memory_survives_deep_sleep_and_the_watchdog() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    assert board.retained() == b""
    data = random.Random(1).randbytes(board.retained_bytes)
    board.retain(data)
    with pytest.raises(Reset):
        board.deep_sleep(60_000)
    board = load_board(chip)
    assert board.reset_cause() == "deep-sleep"
    assert board.retained() == data
    chip.watchdog_reset()
    assert load_board(chip).retained() == data
    chip.power_on()
    assert load_board(chip).retained() == b""


def _makes_its_interface(board: Any) -> bool:
    return "_wlan" in vars(board.radio)


def test_a_wake_without_a_use_for_the_radio_does_not_start_its_driver() -> None:
    chip = Chip("ESP32C3")
    board = load_board(chip)
    # Before a wake something else may have run that left it on.
    with pytest.raises(Reset):
        board.deep_sleep(1000)
    assert _makes_its_interface(board)
    board = load_board(chip)
    with pytest.raises(Reset):
        board.deep_sleep(1000)
    assert not _makes_its_interface(board)


def test_a_radio_that_a_wake_has_used_is_off_when_it_sleeps() -> None:
    chip = Chip("ESP32C3")
    with pytest.raises(Reset):
        load_board(chip).deep_sleep(1000)
    board = load_board(chip)
    board.radio.on()
    assert chip.network.is_active
    with pytest.raises(Reset):
        board.deep_sleep(1000)
    assert not chip.network.is_active


def test_it_is_kept_whether_a_module_lies_beside_the_pack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = Chip("ESP32")
    for beside, begins in ((None, b"PF"), (True, b"PF"), (False, b"QF")):
        if beside is not None:
            pack = SimpleNamespace(is_alone=not beside)
            monkeypatch.setitem(sys.modules, "module_pack", pack)
        load_board(chip).retain(b"kept")
        assert chip.rtc_memory.startswith(begins) and load_board(chip).retained() == b"kept"


@pytest.mark.parametrize("seed", range(20))
def test_damaged_retained_memory_is_not_believed(seed: int) -> None:
    rng = random.Random(seed)
    chip = Chip("ESP32")
    board = load_board(chip)
    board.retain(rng.randbytes(rng.randrange(1, 200)))
    memory = bytearray(chip.rtc_memory)
    if seed % 2:
        memory[rng.randrange(len(memory))] ^= 1 << rng.randrange(8)
    else:
        del memory[rng.randrange(len(memory)) :]
    chip.rtc_memory = bytes(memory)
    assert board.retained() == b""


def test_more_than_fits_is_refused_and_what_was_kept_stays() -> None:
    board = load_board(Chip("ESP32"))
    board.retain(b"kept")
    with pytest.raises(ValueError, match="2041 bytes to retain"):
        board.retain(bytes(board.retained_bytes + 1))
    assert board.retained() == b"kept"


def test_the_watchdog_is_armed_as_asked_and_fed() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    board.feed()
    assert board.start_watchdog(120_000) == 120_000
    chip.time.sleep_ms(5000)
    board.feed()
    assert chip.fed_at == 5000


def test_deep_sleep_switches_the_radio_off_first() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    board.radio.join("home", "password1")
    network = chip.network
    with pytest.raises(Reset):
        board.deep_sleep(10_000)
    assert not network.is_active
    assert chip.deep_slept_ms == 10_000


def test_light_sleep_goes_on_after_waking_early() -> None:
    chip = Chip("ESP32")
    chip.sleep_stops = [0, 0, 700, 3]
    load_board(chip).light_sleep(60_000)
    assert 60_000 <= chip.time.elapsed_ms < 60_050


def test_a_light_sleep_cut_short_is_counted() -> None:
    chip = Chip("ESP32")
    chip.sleep_stops = [0, 700, 59_000]
    board = load_board(chip)
    board.light_sleep(120_000)
    assert board.short_sleeps == 3
    board.light_sleep(120_000)
    assert board.short_sleeps == 3


def test_the_clock_is_slow_on_request_and_then_as_it_was() -> None:
    chip = Chip("ESP32")
    chip.full_hz = chip.frequency_hz = 240_000_000
    board = load_board(chip)
    board.throttle(False)
    assert chip.frequency_hz == 240_000_000
    board.throttle(True)
    board.throttle(True)
    assert chip.frequency_hz == 80_000_000
    board.throttle(False)
    assert chip.frequency_hz == 240_000_000


def test_an_input_lets_go_of_what_a_sleep_has_held() -> None:
    chip = Chip("ESP32")
    load_board(chip).pin(4, "in", "up")
    assert chip.pins[4].hold is False


def test_light_sleep_feeds_an_armed_watchdog() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    board.start_watchdog(10_000)
    board.light_sleep(3_600_000)
    assert chip.time.elapsed_ms == 3_600_000
    assert chip.cause == 1


def test_the_clock_counts_from_2000_and_is_set_in_utc() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    assert not board.clock_is_set()
    board.set_unix_s(1_795_368_917)
    assert chip.time.unix_s() == 1_795_368_917
    assert board.clock_is_set()


def test_no_led_of_its_own_is_no_error() -> None:
    load_board(Chip("ESP32")).led(True)


@pytest.mark.parametrize(("model", "pin"), [("ESP32", 6), ("ESP32", 11), ("ESP32C3", 12)])
def test_no_sensor_gets_a_pin_that_the_flash_memory_runs_on(model: str, pin: int) -> None:
    board = load_board(Chip(model))
    for use in (
        lambda: board.pin(pin, "out"),
        lambda: board.i2c(0, 4, pin, 100_000),
        lambda: board.uart(1, 9600, pin, 5),
        lambda: board.adc(pin),
    ):
        with pytest.raises(ValueError, match=f"pin {pin} is the flash memory's or the radio's"):
            use()
    board.pin(5, "out")


def test_an_analogue_pin_reads_calibrated_microvolts() -> None:
    chip = Chip("ESP32")
    chip.readings_u16[34] = 32_767
    assert load_board(chip).adc(34).read_uv() == pytest.approx(1_550_000, rel=0.001)


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (1000, "idle"),
        (1001, "joining"),
        (1010, "up"),
        (200, "failed"),
        (201, "no-ap"),
        (202, "wrong-password"),
        (203, "failed"),
        (204, "wrong-password"),
        (15, "wrong-password"),
        (210, "no-ap"),
        (211, "no-ap"),
        (212, "no-ap"),
    ],
)
def test_every_status_has_its_meaning(raw: int, state: str) -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    assert board.radio.state() == "off"
    chip.network.script = [[(0, 1001), (500, raw)]]
    board.radio.join("home", "password1")
    chip.time.sleep_ms(600)
    assert board.radio.state() == state
    assert board.radio.status() == raw


def test_the_port_does_not_reconnect_on_its_own() -> None:
    chip = Chip("ESP32")
    load_board(chip).radio.on()
    assert chip.network.settings["reconnects"] == 0


def test_a_new_attempt_is_not_judged_by_the_last_ones_reason() -> None:
    chip = Chip("ESP32")
    radio = load_board(chip).radio
    chip.network.script = [[(1000, 201)], [(4000, 1010)]]
    radio.join("home", "password1")
    chip.time.sleep_ms(1500)
    assert radio.state() == "no-ap"
    radio.join("home", "password1")
    assert radio.status() == 201
    assert radio.state() == "joining"
    chip.time.sleep_ms(4000)
    assert radio.state() == "up"
    # The same reason again, much later, is this attempt's own.
    chip.network.script = [[(1000, 201)]]
    radio.join("home", "password1")
    chip.time.sleep_ms(9000)
    assert radio.state() == "no-ap"


def test_a_person_who_took_over_is_not_reset() -> None:
    chip = Chip("ESP32")
    board = load_board(chip)
    board.start_watchdog(60_000)
    board.let_go()
    assert not chip.block(3_600_000)
