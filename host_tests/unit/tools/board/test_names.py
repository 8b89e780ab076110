"""A board has one name, however it is spelt, in every command that takes one."""

import pytest

from fieldpost.battery import command as battery_command
from fieldpost.board import names
from fieldpost.config import pins
from fieldpost.flash import catalogue

SPELLINGS = {
    "RP2040": ("pico-w", "pico_w", "PICO_W", "RPI_PICO_W", "Pico W", "Raspberry Pi Pico W"),
    "RP2350": ("pico2_w", "pico-2-w", "pico2-w", "RPI_PICO2_W"),
    "ESP32": ("esp32", "ESP32_GENERIC", "ESP32_GENERIC-SPIRAM"),
    "ESP32-C3": ("esp32-c3", "esp32c3", "ESP32_C3", "ESP32_GENERIC_C3"),
    "ESP32-S3": ("esp32-s3", "ESP32_GENERIC_S3", "ESP32_GENERIC_S3-SPIRAM_OCT"),
}
EACH = [(chip, name) for chip, spelt in SPELLINGS.items() for name in spelt]


@pytest.mark.parametrize(("chip", "name"), EACH)
def test_every_spelling_is_taken_by_every_command(chip: str, name: str) -> None:
    assert pins.chip_named(name).name == chip
    # Another chip than that of the name would be refused.
    assert catalogue.choose(chip=chip, board=name).chip == chip
    assert battery_command._board(name) in battery_command.BOARDS


def test_a_variant_of_a_build_is_another_image_and_the_same_board() -> None:
    chosen = catalogue.choose(chip="ESP32", board="esp32_generic-spiram")
    assert chosen.board == "ESP32_GENERIC-SPIRAM"
    assert names.without_variant("ESP32_GENERIC-D2WD") == "ESP32_GENERIC"
    assert names.without_variant("esp32-c3") == "esp32-c3"
    assert names.same("uno", ["esp32"]) is None
