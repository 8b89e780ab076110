"""An ESP32 image laid out with two slots for its program is whole, and starts in the first."""

import pytest

from fakes.board_images import esp_image, esp_part
from fieldpost.flash import esp_image as esp_format
from fieldpost.flash import two_slots
from fieldpost.flash.esp_image import Broken

MIB = 1024 * 1024


@pytest.mark.parametrize("chip", ["ESP32", "ESP32-C3", "ESP32-S3"])
@pytest.mark.parametrize("flash_mb", [4, 8, 16])
def test_the_program_is_in_the_first_of_two_slots_and_files_have_the_rest(
    chip: str, flash_mb: int
) -> None:
    image = esp_image(chip)
    made = two_slots.lay_out(image, flash_mb * MIB)
    assert not two_slots.has_two_slots(image) and two_slots.has_two_slots(made)
    facts = esp_format.examine(made)
    assert (facts.chip, facts.base) == (chip, esp_format.examine(image).base)
    # Nothing of a partition lies beyond the end, and the files' reaches to it.
    assert facts.flash == flash_mb * MIB
    address, size = esp_format.file_system(made, flash_mb * MIB)
    assert address + size == flash_mb * MIB and size >= 384 * 1024
    assert esp_format.application(made) == esp_format.application(image)
    # A bootloader that was told of a slot by another layout begins anew.
    choice = made[0xD000 - facts.base : 0xF000 - facts.base]
    assert choice == b"\xff" * 0x2000


def test_laid_out_twice_it_is_the_same() -> None:
    made = two_slots.lay_out(esp_image("ESP32"), 4 * MIB)
    assert two_slots.lay_out(made, 4 * MIB) == made


def test_a_program_that_does_not_fit_twice_is_refused_with_its_size() -> None:
    with pytest.raises(Broken, match=r"has 1\.9. MB, and on 4 MB of flash a slot has 1\.75"):
        two_slots.lay_out(esp_image("ESP32-C3", size=2_000_000), 4 * MIB)
    with pytest.raises(Broken, match="on 2 MB"):
        two_slots.lay_out(esp_image("ESP32-C3"), 2 * MIB)


def test_a_program_alone_is_taken_as_it_is_and_tells_its_chip() -> None:
    program = esp_part("ESP32-C6", b"program" * 100)
    assert esp_format.application(program) == program
    assert esp_format.application_chip(program) == "ESP32-C6"
    # What lies behind it, in a file that was cut out too long, is not part of it.
    assert esp_format.application(program + b"\xff" * 100) == program


@pytest.mark.parametrize("spoil", [slice(40, 44), slice(-20, -16)])
def test_a_damaged_program_is_none(spoil: slice) -> None:
    program = bytearray(esp_part("ESP32-C3", b"program" * 100))
    program[spoil] = b"\x5a" * 4
    with pytest.raises(Broken):
        esp_format.application(bytes(program))
