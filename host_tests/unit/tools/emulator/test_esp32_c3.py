"""The emulated ESP32-C3 with a stand-in for QEMU: what is started, and what is said without it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.port import micropython
from typer.testing import CliRunner

from fakes import qemu
from fakes.board_images import esp_image
from fieldpost.cli import app
from fieldpost.emulator import engines
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import Emulator, EmulatorError
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.esp32_c3_facts import VARIABLE
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.flash import esp_image as image_format
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

MIB = 1024 * 1024


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "ESP32_GENERIC_C3-20261127-v1.29.0.bin"
    file.write_bytes(esp_image("ESP32-C3"))
    return file


@pytest.fixture
def board(tmp_path: Path, image: Path) -> Iterator[Emulator]:
    program = str(qemu.write(tmp_path))
    with Emulator(image, engine=ESP32_C3, program=program) as one:
        yield one


@pytest.fixture
def console(board: Emulator) -> Iterator[Console]:
    with Console(board.console) as one:
        one.wait_for("boot 0", 10)  # flash is full of ones, and the stand-in adds one to a byte
        yield one


@pytest.mark.parametrize("name", ["esp32-c3", "ESP32_GENERIC_C3", "esp32c3", "ESP32 C3"])
def test_every_spelling_of_a_boards_name_finds_its_engine(name: str) -> None:
    assert engines.of_board(name) is ESP32_C3


def test_a_board_without_an_emulator_is_told_which_there_are() -> None:
    assert engines.of_board("pico_w") is PICO_W
    with pytest.raises(CommandError, match=r"only of Pico W \(RPI_PICO_W\) and ESP32-C3"):
        engines.of_board("esp32-s3")


@pytest.mark.parametrize(
    ("machines", "is_wifi", "lacks"),
    [
        (("virt",), True, "has no machine esp32c3-picsimlab"),
        (("esp32c3", "esp32c3-picsimlab-2"), True, "has no machine esp32c3-picsimlab"),
        (("esp32c3-picsimlab",), False, "has no device esp32_wifi"),
    ],
)
def test_a_qemu_that_lacks_something_is_told_what_and_where_to_get_another(
    tmp_path: Path, machines: tuple[str, ...], is_wifi: bool, lacks: str
) -> None:
    program = qemu.write(tmp_path, machines, is_wifi)
    done = CliRunner().invoke(app, ["emulate", "--board", "esp32-c3", "--qemu", str(program)])
    assert done.exit_code == 1 and isinstance(done.exception, CommandError)
    said = str(done.exception)
    assert lacks in said and "github.com/lcgamboa/qemu" in said and "work without it" in said


def test_without_any_qemu_the_sentence_says_where_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("FIELDPOST_WITHOUT", "qemu-system-riscv32")
    why = ESP32_C3.missing()
    assert why and "there is no qemu-system-riscv32" in why and "github.com/lcgamboa/qemu" in why


def test_a_program_that_is_no_qemu_is_told_so(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    why = ESP32_C3.missing(str(other))
    assert why and "is no QEMU that answers" in why


def test_the_variable_names_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = qemu.write(tmp_path)
    monkeypatch.setenv("FIELDPOST_QEMU", str(program))
    assert ESP32_C3.program() == str(program)


def test_its_flash_is_the_image_then_ones_then_the_files(tmp_path: Path, image: Path) -> None:
    micropython()  # Else it skips.
    files = {"/config.json": b"{}", "/lib/a.mpy": bytes(range(256)) * 40}
    program = str(qemu.write(tmp_path))
    with Emulator(image, files=files, engine=ESP32_C3, program=program) as board:
        assert board.read_files() == files


@pytest.mark.parametrize("files_end", [0, 4 * MIB, 3 * MIB])
def test_the_files_lie_where_the_image_says_or_behind_its_last_partition(files_end: int) -> None:
    data = esp_image("ESP32-C3", files_end=files_end)
    end = files_end or 4 * MIB
    assert image_format.file_system(data, 4 * MIB) == (2 * MIB, end - 2 * MIB)


@pytest.mark.parametrize(
    ("chip", "flash_mb", "why"),
    [("ESP32-S3", 4, "is for ESP32-S3, not for ESP32-C3"), ("ESP32-C3", 8, "needs 8 MiB")],
)
def test_an_image_for_something_else_is_refused(
    tmp_path: Path, chip: str, flash_mb: int, why: str
) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(esp_image(chip, flash_mb=flash_mb))
    program = str(qemu.write(tmp_path))
    with (
        pytest.raises(CommandError, match=why),
        Emulator(other, engine=ESP32_C3, program=program),
    ):
        pass


@pytest.mark.slow
def test_with_sensors_its_flash_has_what_leads_to_them_and_without_it_has_not(
    tmp_path: Path, image: Path
) -> None:
    micropython()  # Else it skips.
    options: dict[str, Any] = {"engine": ESP32_C3, "program": str(qemu.write(tmp_path))}
    sensors = plan(devices.parse(["bme280"]), 1)
    with Emulator(image, files={"main.py": b"1"}, wired=sensors, **options) as board:
        assert set(board.read_files()) == {"/main.py", "/machine.mpy"}
    with Emulator(image, files={"main.py": b"1"}, **options) as board:
        assert set(board.read_files()) == {"/main.py"}


def test_what_is_typed_arrives_and_what_it_says_comes_back(console: Console) -> None:
    console.send(b"a line of some length\r\n")
    console.wait_for("a line of some length", 10)


def test_a_burst_comes_through_whole_though_nobody_reads_at_once(board: Emulator) -> None:
    burst = b"".join(b"%06d\r\n" % number for number in range(5000))
    with Console(board.console) as console:
        for at in range(0, len(burst), 1000):
            console.send(burst[at : at + 1000])
            time.sleep(0.001)
        console.wait_for("004999", 10)
        numbers = [line for line in console.lines if line.isdigit()]
    assert numbers == [f"{number:06d}" for number in range(5000)]


def test_the_reset_button_and_a_cut_of_power_boot_the_same_flash_again(
    board: Emulator, console: Console
) -> None:
    at = console.wait_for("boot 0", 10)
    board.reset()
    at = console.wait_for("boot 1", 10, at)
    board.power()
    at = console.wait_for("boot 2", 10, at)
    board.cut_power()
    assert board.stats()["resets"] == 0  # none of these did the chip itself
    board.power()
    console.wait_for("boot 3", 10, at)


def test_a_reset_by_the_chip_is_counted(board: Emulator, console: Console) -> None:
    console.send(b"r")
    console.wait_for("boot 1", 10)
    assert board.stats()["resets"] == 1


@pytest.mark.slow
def test_a_chip_that_spins_is_told_from_one_that_waits(board: Emulator, console: Console) -> None:
    waiting = board.load()
    console.send(b"s")
    spinning = board.load()
    # Others may have most of this machine.
    assert waiting["busy"] < 0.1 and spinning["busy"] > 0.2
    assert spinning["silent_s"] >= 1


def test_an_emulator_that_ends_says_why(board: Emulator, console: Console) -> None:
    console.send(b"d")
    end = time.monotonic() + 10
    with pytest.raises(EmulatorError, match=r"ESP32-C3 has stopped.*status 1"):
        while time.monotonic() < end:
            board.stats()
            time.sleep(0.05)


def test_bare_says_what_a_person_needs_to_put_a_node_on_it(tmp_path: Path, image: Path) -> None:
    program = str(qemu.write(tmp_path))
    options = ["--board", "esp32-c3", "--image", str(image), "--qemu", program]
    done = CliRunner().invoke(app, ["emulate", *options, "--bare", "--seconds", "1"])
    assert done.exit_code == 0, done.output
    assert "ESP32-C3 with ESP32_GENERIC_C3-20261127-v1.29.0.bin" in done.output
    assert "Its network: PICSimLabWifi, which has no password" in done.output
    assert "Its broker: mqtt://10.0.0.1:" in done.output
    assert "Put a node on it: FIELDPOST_BROKER=mqtt://10.0.0.1:1883 fieldpost prov" in done.output


@pytest.mark.slow
def test_one_that_delivers_nothing_ends_with_status_1(tmp_path: Path, image: Path) -> None:
    micropython()  # Else it skips.
    program = str(qemu.write(tmp_path))
    options = ["--board", "esp32-c3", "--image", str(image), "--qemu", program, "--json"]
    done = CliRunner().invoke(app, ["emulate", *options, "--seconds", "1"])
    assert done.exit_code == 1, done.output
    assert json.loads(done.output)["error"]["code"] == "nothing_delivered"
