"""An ESP32 gets the right image through esptool, verified; a failure is a plain sentence."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from rigs.flash import Screen, version_of_the_port
from typer.testing import CliRunner

from fakes.board_images import esp_image, real_esp32, uf2_image
from fakes.esp_board import EspBoard
from fakes.serial_lines import silent_port
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue, esp, flashing, images, two_slots
from fieldpost.flash import command as flash_command
from fieldpost.flash.flashing import Limits, Wish
from fieldpost.paths import ROOT

CHIPS = {"esp32": "ESP32", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3"}


@pytest.fixture
def screen() -> Screen:
    return Screen()


def file_with(data: bytes, folder: Path) -> Path:
    file = folder / "image.bin"
    file.write_bytes(data)
    return file


def run(*arguments: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(flash_command.flash)
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, CommandError):
        return 1, done.stdout, str(done.exception)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.slow
def test_the_real_esp32_image_is_written_verified_and_reads_back(
    screen: Screen, tmp_path: Path
) -> None:
    image = real_esp32()
    with EspBoard("esp32") as board:
        outcome = flashing.flash(board.url, Wish(image=image, reset=False), screen)
        assert outcome.ok, outcome.text
        data = image.read_bytes()
        for start in (0, 0x7000, 0xF000, len(data) - 0x400):
            back = board.read_back(0x1000 + start, 0x400, tmp_path / "back")
            assert back == data[start:][:0x400]
        assert board.verify(0x1000, image)
    assert outcome.chip == "ESP32"
    assert any("MicroPython 1.23.0" in text for text in screen.said)
    written = screen.steps["writing"]
    assert written == sorted(written) and written[-1] == 1000 and len(written) > 5


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_each_chip_gets_its_image_at_its_own_address(
    chip: str, screen: Screen, tmp_path: Path
) -> None:
    data = esp_image(CHIPS[chip])
    address = 0x1000 if chip == "esp32" else 0
    with EspBoard(chip) as board:
        wish = Wish(image=file_with(data, tmp_path), reset=False)
        outcome = flashing.flash(board.url, wish, screen)
        assert outcome.ok, outcome.text
        assert board.read_back(address, 0x400, tmp_path / "back") == data[:0x400]
        assert board.verify(address, wish.image)
    assert outcome.chip == CHIPS[chip]


@pytest.mark.slow
@pytest.mark.parametrize(
    "chip, address, other", [("esp32", 0x1000, "ESP32-C3"), ("esp32c3", 0, "ESP32-S3")]
)
def test_tools_5_an_image_for_another_chip_is_refused_before_a_byte_is_written(
    chip: str, address: int, other: str, screen: Screen, tmp_path: Path
) -> None:
    with EspBoard(chip) as board:
        wish = Wish(image=file_with(esp_image(other), tmp_path), reset=False)
        outcome = flashing.flash(board.url, wish, screen)
        assert not outcome.ok
        assert f"is for {other}" in outcome.text and "Nothing was written" in outcome.text
        assert board.read_back(address, 0x400, tmp_path / "back") == b"\xff" * 0x400
    assert "writing" not in screen.steps


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><h1>404 Not Found</h1>" * 100,
        esp_image("ESP32")[:-2_000],
        b"",
    ],
)
def test_tools_5_a_broken_image_or_a_web_page_does_not_reach_the_port(
    data: bytes, screen: Screen, tmp_path: Path
) -> None:
    with silent_port() as port:
        begin = time.monotonic()
        outcome = flashing.flash(port, Wish(image=file_with(data, tmp_path)), screen)
    assert not outcome.ok
    assert "Nothing was written" in outcome.text or "not an image" in outcome.text
    assert time.monotonic() - begin < 1, "the board was asked first"


@pytest.mark.slow
def test_tools_5_a_line_too_bad_for_the_rate_is_tried_again_at_a_lower_one(
    screen: Screen, tmp_path: Path
) -> None:
    data = esp_image("ESP32")
    with EspBoard("esp32", good_baud=230_400) as board:
        wish = Wish(image=file_with(data, tmp_path), reset=False)
        outcome = flashing.flash(board.url, wish, screen)
        assert outcome.ok, outcome.text
        assert board.verify(0x1000, wish.image)
    assert board.bauds == [460_800, 230_400]
    assert any("trying 230400 baud" in text for text in screen.said)
    assert any("Written at 230400 baud" in text for text in screen.said)


@pytest.mark.slow
def test_tools_5_a_port_lost_in_the_middle_is_a_failure_that_says_so(
    screen: Screen, tmp_path: Path
) -> None:
    with EspBoard("esp32", cut_after=60_000) as board:
        begin = time.monotonic()
        outcome = flashing.flash(board.url, Wish(image=real_esp32(), reset=False), screen)
    assert not outcome.ok
    assert "went away" in outcome.text and "not lost" in outcome.text
    assert time.monotonic() - begin < 40


@pytest.mark.slow
def test_tools_5_a_failed_flash_does_not_exit_with_0(tmp_path: Path) -> None:
    wrong = file_with(esp_image("ESP32-S3"), tmp_path)
    with EspBoard("esp32") as board:
        status, said, _ = run("--port", board.url, "--no-reset", "--image", str(wrong))
        assert status == 1
        assert "failed" in said and "ESP32-S3" in said
        right = file_with(esp_image("ESP32"), tmp_path)
        arguments = ["--port", board.url, "--no-reset", "--image", str(right), "--json"]
        status, said, _ = run(*arguments)
    assert status == 0
    (outcome,) = json.loads(said)["boards"]
    assert outcome["ok"] and outcome["chip"] == "ESP32"


def test_tools_5_an_esptool_that_ends_with_0_and_verified_nothing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(esp, "_run", lambda *_: (0, "Writing at 0x1000 ... 100%"))
    monkeypatch.setattr(esp, "_still_there", lambda _: True)
    chip = esp.EspChip("ESP32", "esp32", 0x1000)
    with pytest.raises(esp.EspError, match="verified nothing"):
        esp.write("COM3", chip, file_with(esp_image("ESP32"), tmp_path))


@pytest.mark.slow
def test_erase_empties_what_the_image_does_not_cover(screen: Screen, tmp_path: Path) -> None:
    data = esp_image("ESP32")
    with EspBoard("esp32") as board:
        larger = file_with(esp_image("ESP32", size=60_000), tmp_path)
        assert flashing.flash(board.url, Wish(image=larger, reset=False), screen).ok
        wish = Wish(image=file_with(data, tmp_path), reset=False, erase=True)
        assert flashing.flash(board.url, wish, screen).ok
        after = board.read_back(0x1000 + len(data) + 0x1000, 0x400, tmp_path / "back")
    assert after == b"\xff" * 0x400


@pytest.mark.slow
def test_an_image_larger_than_the_flash_is_refused(screen: Screen, tmp_path: Path) -> None:
    data = esp_image("ESP32", size=0x1E0000)
    with EspBoard("esp32") as board:
        wish = Wish(image=file_with(data + b"\xff" * 0x300000, tmp_path), reset=False)
        outcome = flashing.flash(board.url, wish, screen)
    assert "needs 4.938 MB" in outcome.text and "has 4 MB" in outcome.text


@pytest.mark.parametrize(
    ("chip", "of_board", "of_image", "said"),
    [
        ("esp32s3", {"flash_mb": 4}, {"flash_mb": 8}, "needs 8 MB of flash"),
        ("esp32s3", {"flash_mb": 4}, {"files_end": 8 << 20}, "needs 8 MB of flash"),
        ("esp32c3", {"flash_mb": 2}, {}, "has 2 MB"),
        pytest.param("esp32c6", {"flash_mb": 2}, {}, "has 2 MB", marks=pytest.mark.slow),
        pytest.param("esp32s2", {"flash_mb": 2}, {}, "has 2 MB", marks=pytest.mark.slow),
        pytest.param("esp32", {"flash_mb": 2}, {}, "has 2 MB", marks=pytest.mark.slow),
        ("esp32", {"cores": 1}, {}, "for two cores"),
    ],
)
def test_an_image_that_would_not_start_or_have_no_files_is_refused_before_a_byte_is_written(
    chip: str,
    of_board: dict[str, int],
    of_image: dict[str, int],
    said: str,
    screen: Screen,
    tmp_path: Path,
) -> None:
    name = "ESP32" + (f"-{chip[5:].upper()}" if chip != "esp32" else "")
    with EspBoard(chip, **of_board) as board:
        wish = Wish(image=file_with(esp_image(name, **of_image), tmp_path), reset=False)
        outcome = flashing.flash(board.url, wish, screen)
    assert not outcome.ok and said in outcome.text and "Nothing was written" in outcome.text
    assert "writing" not in screen.steps


@pytest.mark.slow
def test_with_ota_the_program_gets_two_slots(screen: Screen, tmp_path: Path) -> None:
    image = esp_image("ESP32-C3", version=version_of_the_port())
    with EspBoard("esp32c3") as board:
        wish = Wish(image=file_with(image, tmp_path), reset=False, two_slots=True)
        outcome = flashing.flash(board.url, wish, screen)
        assert outcome.ok, outcome.text
        made = tmp_path / "made.bin"
        made.write_bytes(two_slots.lay_out(image, 4 * 1024 * 1024))
        assert board.verify(0, made)
    assert any("finds none of its files again" in text for text in screen.said)


def test_with_ota_what_does_not_fit_twice_is_refused_before_a_byte_is_written(
    screen: Screen, tmp_path: Path
) -> None:
    image = esp_image("ESP32-C3", size=1_900_000)
    with EspBoard("esp32c3") as board:
        wish = Wish(image=file_with(image, tmp_path), reset=False, two_slots=True)
        outcome = flashing.flash(board.url, wish, screen)
    assert not outcome.ok and "too large to be there twice" in outcome.text
    assert "Nothing was written" in outcome.text and "writing" not in screen.steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_board", "image", "board_name"),
    [
        ({"flash_mb": 2}, {"flash_mb": 2}, "ESP32_GENERIC-D2WD"),
        (
            {"cores": 1},
            {"machine": "Generic ESP32 module with ESP32-UNICORE"},
            "ESP32_GENERIC-UNICORE",
        ),
    ],
)
def test_a_chip_that_the_usual_image_does_not_start_on_gets_the_one_that_does(
    of_board: dict[str, int],
    image: dict[str, object],
    board_name: str,
    screen: Screen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = file_with(esp_image("ESP32", **image), tmp_path)  # type: ignore[arg-type]
    taken: list[str] = []

    def obtain(entry: catalogue.Entry, **_: object) -> images.Image:
        taken.append(entry.board)
        return images.examine(file)

    monkeypatch.setattr(flashing.download, "obtain", obtain)
    with EspBoard("esp32", **of_board) as board:
        outcome = flashing.flash(board.url, Wish(reset=False), screen)
        assert outcome.ok, outcome.text
        assert board.verify(0x1000, file)
    assert taken == [board_name]


@pytest.mark.slow
def test_flash_with_eight_data_lines_gets_none_of_the_catalogue(screen: Screen) -> None:
    with EspBoard("esp32s3", flash_mb=16, is_octal=True) as board:
        outcome = flashing.flash(board.url, Wish(reset=False), screen)
    assert not outcome.ok and "eight data lines" in outcome.text


@pytest.mark.slow
def test_several_boards_are_written_at_once_and_one_failure_stops_no_other(
    tmp_path: Path,
) -> None:
    image = file_with(esp_image("ESP32-C3"), tmp_path)
    with EspBoard("esp32c3") as one, EspBoard("esp32") as wrong, EspBoard("esp32c3") as two:
        ports = [f"--port={board.url}" for board in (one, wrong, two)]
        status, said, _ = run(*ports, "--no-reset", "--image", str(image), "--json")
        outcomes = json.loads(said)["boards"]
    assert status == 1
    assert [outcome["ok"] for outcome in outcomes] == [True, False, True]


@pytest.mark.slow
def test_a_port_where_no_chip_answers_ends_with_what_to_press(screen: Screen) -> None:
    with silent_port() as port:
        outcome = flashing.flash(port, Wish(limits=Limits(answer_s=1)), screen)
    assert not outcome.ok
    assert "BOOT" in outcome.text


def test_ctrl_c_ends_it_while_it_waits_for_a_board(tmp_path: Path) -> None:
    volume = tmp_path / "VOLUME"
    volume.mkdir()
    (volume / "INFO_UF2.TXT").write_text("Model: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    (tmp_path / "a.uf2").write_bytes(uf2_image())
    code = "import typer, fieldpost.flash.command as m; typer.run(m.flash)"
    command = [sys.executable, "-c", code, "--port", str(volume)]
    process = subprocess.Popen(
        [*command, "--image", str(tmp_path / "a.uf2")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        while "copying to" not in process.stderr.readline():
            assert process.poll() is None, "it ended by itself"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode and "Traceback" not in said


def test_a_port_that_does_not_exist_is_named(screen: Screen, tmp_path: Path) -> None:
    outcome = flashing.flash(str(tmp_path / "ttyUSB5"), Wish(), screen)
    assert not outcome.ok and "there is no port" in outcome.text


def test_with_several_boards_and_none_named_the_choice_is_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [flashing.Board(f"/dev/ttyUSB{n}", "bootloader", "CP210x") for n in range(2)]
    monkeypatch.setattr(flashing.boards, "find", lambda **_: found)
    with pytest.raises(CommandError, match=r"--port.*--all"):
        flashing.targets([], every=False)
    assert flashing.targets([], every=True) == ["/dev/ttyUSB0", "/dev/ttyUSB1"]


def test_no_board_is_a_failure_without_a_person_to_press_buttons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flashing.boards, "find", lambda **_: [])
    status, _, said = run("--all")
    assert status == 1 and "cable that carries data" in said
    status, _, said = run()
    assert status == 1


def test_esptool_is_run_and_never_imported() -> None:
    code = (
        "import sys; from fieldpost.flash import esp, flashing, command, download;"
        "from fieldpost.board import find;"
        "print([name for name in sys.modules if name.split('.')[0] == 'esptool'])"
    )
    folder = Path(esp.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_board_that_answers_must_have_the_version_that_was_written(tmp_path: Path) -> None:
    image = images.examine(file_with(esp_image("ESP32", version="1.29.0"), tmp_path))
    done = flashing.Outcome("COM3", True, "written")
    answer = flashing.Board("COM3", "micropython", micropython="1.25.0")
    with pytest.raises(CommandError, match=r"answers as MicroPython 1\.25\.0, not 1\.29\.0"):
        flashing._compare(done, image, answer)
