"""A file is read to its end before any of it is written: whole, and for which chip."""

import random
from pathlib import Path

import pytest

from fakes.board_images import (
    ABSOLUTE,
    RP2350_ARM,
    RP2350_RISCV,
    esp_image,
    real_esp32,
    real_pico_w,
    uf2_block,
    uf2_image,
)
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue, esp, images
from fieldpost.flash import esp_image as esp_format
from fieldpost.flash.images import Image, ImageRefused

CHIPS = ["ESP32", "ESP32-S2", "ESP32-S3", "ESP32-C3", "ESP32-C6"]


def examined(data: bytes, folder: Path, name: str = "image") -> Image:
    file = folder / name
    file.write_bytes(data)
    return images.examine(file)


def test_the_real_esp32_image_says_what_it_is() -> None:
    image = images.examine(real_esp32())
    assert (image.chip, image.base, image.version) == ("ESP32", 0x1000, "1.23.0")
    assert image.machine == "Generic ESP32 module with ESP32"
    assert image.date == "2024-06-02"


def test_the_genuine_pico_w_image_says_what_it_is_and_is_the_catalogues() -> None:
    image = images.examine(real_pico_w())
    assert (image.chip, image.kind, image.version) == ("RP2040", "uf2", "1.25.0")
    assert image.machine == "Raspberry Pi Pico W with RP2040"
    images.check_entry(image, catalogue.choose(chip="RP2040", version="v1.25.0"))


@pytest.mark.parametrize("chip", CHIPS)
def test_an_image_for_each_chip_is_told_by_its_header(chip: str, tmp_path: Path) -> None:
    image = examined(esp_image(chip), tmp_path)
    assert (image.chip, image.version) == (chip, "1.29.0")
    assert image.base == esp.chip_table()[chip][1]


def test_the_chip_ids_are_those_of_esptool() -> None:
    of_esptool = {row[2]: name for name, row in esp.chip_table().items()}
    assert {number: of_esptool.get(number) for number in esp_format.CHIP_IDS} == (
        esp_format.CHIP_IDS
    )


def test_an_rp2350_image_may_have_the_block_of_its_erratum(tmp_path: Path) -> None:
    for family in (RP2350_ARM, RP2350_RISCV):
        data = uf2_image(family, machine="Raspberry Pi Pico 2 W with RP2350", absolute=True)
        assert examined(data, tmp_path).chip == "RP2350"


def test_the_real_image_is_refused_wherever_it_is_cut_short(tmp_path: Path) -> None:
    data = real_esp32().read_bytes()
    places = [0, 1, 23, 24, 5_000, 0x7000, 0x7010, 0xF000, 0xF010, len(data) // 2, len(data) - 1]
    for end in places:
        with pytest.raises(ImageRefused):
            examined(data[:end], tmp_path)


def test_tools_5_a_damaged_byte_anywhere_in_what_runs_is_noticed(tmp_path: Path) -> None:
    chance = random.Random(7)
    data = real_esp32().read_bytes()
    for at in [*(0xF000 + chance.randrange(len(data) - 0xF000) for _ in range(6)), 200, 0x7004]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << chance.randrange(8)
        with pytest.raises(ImageRefused):
            examined(damaged, tmp_path)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda data: data[:-100], "512 byte blocks"),
        (lambda data: data[:-512], "blocks are missing"),
        (lambda data: data[: 5 * 512] + data[6 * 512 :], "blocks are missing"),
        (lambda data: data[:700] + b"\0" * 400 + data[1100:], "is none"),
        (lambda data: data + uf2_image(RP2350_ARM), "RP2040 and RP2350"),
        (lambda data: uf2_image(0x16573617), "another chip"),
        (lambda data: uf2_block(ABSOLUTE, 0, 1, b""), "no chip"),
    ],
)
def test_a_broken_uf2_file_is_refused(damage: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ImageRefused, match=said):
        examined(damage(uf2_image()), tmp_path)  # type: ignore[operator]


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"  <html>", "web page"),
        (b'{"error": "not found"}', "web page or other text"),
        (b"PK\x03\x04 a zip file", "something else"),
        (b"\xe9" + b"\0" * 40_000, "no header"),
        (esp_image("ESP32-S3")[0x10000:], "app-bin|partition table"),
    ],
)
def test_tools_5_what_is_no_image_is_called_by_its_name(
    data: bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageRefused, match=said):
        examined(data, tmp_path)


def test_a_mixture_of_two_chips_is_refused(tmp_path: Path) -> None:
    mixed = esp_image("ESP32-S3")[:0x10000] + esp_image("ESP32-C3")[0x10000:]
    with pytest.raises(ImageRefused, match="mixed"):
        examined(mixed, tmp_path)


def test_an_image_for_another_chip_or_board_does_not_fit(tmp_path: Path) -> None:
    c3 = examined(esp_image("ESP32-C3"), tmp_path)
    with pytest.raises(ImageRefused, match=r"for ESP32-C3, and the board on COM3 has ESP32-S3"):
        images.check_fits(c3, "ESP32-S3", "COM3")
    images.check_fits(c3, "ESP32-C3", "COM3")
    pico = examined(uf2_image(machine="Raspberry Pi Pico with RP2040"), tmp_path)
    with pytest.raises(ImageRefused, match="--board"):
        images.check_fits(pico, "RP2040", "COM3", "Raspberry Pi Pico W with RP2040")


def test_a_file_larger_than_any_flash_is_not_even_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(images.LARGEST + 1)
    with pytest.raises(ImageRefused, match="more than the flash"):
        images.examine(huge)
    with pytest.raises(ImageRefused, match="cannot read"):
        images.examine(tmp_path / "absent.bin")


def test_the_catalogue_names_every_supported_board_over_https() -> None:
    entries = catalogue.load()
    assert {entry.board for entry in entries} == {
        *("ESP32_GENERIC", "ESP32_GENERIC_S2", "ESP32_GENERIC_S3", "ESP32_GENERIC_C3"),
        *("ESP32_GENERIC_C6", "RPI_PICO_W", "RPI_PICO2_W"),
        *("ESP32_GENERIC-D2WD", "ESP32_GENERIC-UNICORE", "ESP32_GENERIC-SPIRAM"),
        "ESP32_GENERIC_S3-SPIRAM_OCT",
        "ESP32_GENERIC-OTA",
    }
    for entry in entries:
        assert entry.url.startswith("https://micropython.org/resources/firmware/")
        assert entry.file_name.startswith(entry.board + "-")
        assert f"-v{entry.version}." in entry.file_name
        assert entry.sha256 is None or len(bytes.fromhex(entry.sha256)) == 32
        assert (entry.sha256 is None) == (entry.hash_by is None), "who says so?"
        assert entry.chip in [*CHIPS, "RP2040", "RP2350"]
        assert entry.flash_mb in (2, 4) or entry.chip.startswith("RP2")


def test_the_newest_image_is_chosen_and_an_older_one_by_name() -> None:
    assert catalogue.choose(chip="RP2040").version == "1.29.0"
    assert catalogue.choose(chip="RP2040", board="RPI_PICO_W", version="1.25.0").size == 1_745_920
    assert catalogue.choose(chip="ESP32-S3", board="UM_TINYS3").board == "ESP32_GENERIC_S3"
    with pytest.raises(CommandError, match=r"only 1\.29\.0"):
        catalogue.choose(chip="ESP32", version="1.2.3")
    with pytest.raises(CommandError, match="another chip"):
        catalogue.choose(chip="RP2040", board="ESP32_GENERIC")
    with pytest.raises(CommandError, match="--image"):
        catalogue.choose(chip="ESP32-H2")


@pytest.mark.parametrize(
    ("chip", "flash_mb", "cores", "board"),
    [
        ("ESP32", 4, 2, "ESP32_GENERIC"),
        ("ESP32", 16, 2, "ESP32_GENERIC"),
        ("ESP32", None, None, "ESP32_GENERIC"),
        ("ESP32", 2, 2, "ESP32_GENERIC-D2WD"),
        ("ESP32", 4, 1, "ESP32_GENERIC-UNICORE"),
        ("ESP32-S3", 4, 2, "ESP32_GENERIC_S3"),
        ("ESP32-S3", 32, 2, "ESP32_GENERIC_S3"),
        ("ESP32-S2", 4, 1, "ESP32_GENERIC_S2"),
        ("ESP32-C3", 4, 1, "ESP32_GENERIC_C3"),
        ("ESP32-C6", 8, 1, "ESP32_GENERIC_C6"),
    ],
)
def test_the_image_is_that_for_the_chips_flash_and_cores(
    chip: str, flash_mb: float | None, cores: int | None, board: str
) -> None:
    assert catalogue.choose(chip=chip, flash_mb=flash_mb, cores=cores).board == board


@pytest.mark.parametrize(
    ("chip", "flash_mb", "cores"),
    [
        *(("ESP32", 1, 2), ("ESP32", 2, 1), ("ESP32", 0.5, 2), ("ESP32-S3", 2, 2)),
        *(("ESP32-C3", 2, 1), ("ESP32-C6", 2, 1), ("ESP32-S2", 2, 1)),
    ],
)
def test_a_chip_with_less_than_any_image_needs_is_refused(
    chip: str, flash_mb: float, cores: int
) -> None:
    with pytest.raises(CommandError, match=rf"which has {flash_mb:g} MB of flash.*--image"):
        catalogue.choose(chip=chip, flash_mb=flash_mb, cores=cores)


def test_a_build_that_is_named_or_runs_there_is_kept_if_it_can_run() -> None:
    octal = "ESP32_GENERIC_S3-SPIRAM_OCT"
    assert catalogue.choose(chip="ESP32-S3", board=octal, flash_mb=8, cores=2).board == octal
    assert catalogue.choose(chip="ESP32-S3", runs=octal, flash_mb=8, cores=2).board == octal
    # What a wrong image has told it is no reason to give it that again; what the user says is.
    small = {"chip": "ESP32", "flash_mb": 2, "cores": 2}
    assert catalogue.choose(**small, runs="ESP32_GENERIC").board == "ESP32_GENERIC-D2WD"
    with pytest.raises(CommandError, match=r"needs 4 MB.*has 2 MB.*get ESP32_GENERIC-D2WD"):
        catalogue.choose(**small, board="ESP32_GENERIC")
    # MicroPython had builds for 4 MB until 1.25.
    old = catalogue.choose(chip="ESP32-S3", runs="ESP32_GENERIC_S3-FLASH_4M", flash_mb=4, cores=2)
    assert old.board == "ESP32_GENERIC_S3"


def test_an_image_says_how_much_flash_it_needs(tmp_path: Path) -> None:
    assert images.examine(real_esp32()).flash == 4 << 20
    of_header = examined(esp_image("ESP32-S3", flash_mb=8), tmp_path)
    assert of_header.flash == 8 << 20
    of_table = examined(esp_image("ESP32-S3", flash_mb=4, files_end=8 << 20), tmp_path)
    assert of_table.flash == 8 << 20
    assert examined(esp_image("ESP32", flash_mb=2), tmp_path).flash == 2 << 20
