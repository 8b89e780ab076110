"""A Pico W or Pico 2 W gets its image by its bootloader's drive, and must answer afterwards."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rigs.flash import Screen, version_of_the_port
from rigs.port import micropython
from rigs.sleeping_node import sleeping_node

from fakes.board_images import RP2040, RP2350_ARM, esp_image, real_pico_w, uf2_image
from fakes.raw_repl import RawReplBoard
from fakes.uf2_drive import Uf2Drive
from fieldpost.board import uf2_volume
from fieldpost.board.ports import Port
from fieldpost.errors import CommandError
from fieldpost.flash import flashing
from fieldpost.flash.flashing import Limits, Wish

PICO_2_W = "Raspberry Pi Pico 2 W with RP2350"
QUICK = Limits(volume_s=5, hand_s=2, gone_s=5, answer_s=15)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RawReplBoard]:
    (tmp_path / "board").mkdir()
    one = RawReplBoard(tmp_path / "board", tmp_path / "ttyACM0", micropython())
    yield one
    one.unplug()


def stored(data: bytes, folder: Path) -> Path:
    file = folder / "image.uf2"
    file.write_bytes(data)
    return file


@contextlib.contextmanager
def answering_as(board: RawReplBoard, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The board's port counts as one of this machine's USB ports, while it exists."""

    def ports() -> list[Port]:
        there = Path(board.port).exists()
        return [Port(board.port, "micropython", "Pico", "2E8A:0005", "77")] * there

    monkeypatch.setattr(flashing, "all_ports", ports)
    yield


@pytest.mark.parametrize(
    "chip, family, machine",
    [("RP2040", RP2040, "Raspberry Pi Pico W with RP2040"), ("RP2350", RP2350_ARM, PICO_2_W)],
)
def test_a_board_in_its_bootloader_gets_the_image_and_answers(
    chip: str,
    family: int,
    machine: str,
    board: RawReplBoard,
    screen: Screen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = uf2_image(
        family, machine=machine, version=version_of_the_port(), absolute=chip == "RP2350"
    )
    wish = Wish(image=stored(data, tmp_path), limits=QUICK)
    volume = tmp_path / "VOLUME"
    with (
        answering_as(board, monkeypatch),
        Uf2Drive(volume, chip, len(data), on_written=lambda _: board.plug_in()) as drive,
    ):
        outcome = flashing.flash(str(volume), wish, screen)
    assert outcome.ok, outcome.text
    assert drive.written == data
    assert (outcome.chip, outcome.image) == (chip, "image.uf2")
    assert board.port in outcome.text


def test_the_genuine_pico_w_image_arrives_whole(
    board: RawReplBoard, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = real_pico_w()
    monkeypatch.setattr(
        flashing, "_compare", lambda done, *_: done
    )  # the stand-in is another version
    size = image.stat().st_size
    volume = tmp_path / "VOLUME"
    with (
        answering_as(board, monkeypatch),
        Uf2Drive(volume, "RP2040", size, on_written=lambda _: board.plug_in()) as drive,
    ):
        outcome = flashing.flash(str(volume), Wish(image=image, limits=QUICK), screen)
    assert outcome.ok, outcome.text
    assert drive.written == image.read_bytes()


def test_a_running_board_is_sent_to_its_bootloader_and_comes_back(
    board: RawReplBoard, screen: Screen, tmp_path: Path
) -> None:
    data = uf2_image(version=version_of_the_port())
    volume = tmp_path / "VOLUME"
    drive = Uf2Drive(volume, "RP2040", len(data), on_written=lambda _: board.plug_in())
    board.plug_in()
    (board.folder / "config.json").write_text('{"node": "kept"}')

    def appear_when_asked() -> None:
        assert board.in_bootloader.wait(20)
        drive.appear()

    threading.Thread(target=appear_when_asked, daemon=True).start()
    wish = Wish(image=stored(data, tmp_path), volume=volume, limits=QUICK)
    outcome = flashing.flash(board.port, wish, screen)
    drive.__exit__()
    assert outcome.ok, outcome.text
    assert outcome.micropython
    assert drive.written == data
    assert (board.folder / "config.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("vanishes", [True, False])
def test_a_board_that_sleeps_is_taken_at_its_next_wake_or_by_a_hand_on_bootsel(
    vanishes: bool,
    board: RawReplBoard,
    screen: Screen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = uf2_image(version=version_of_the_port())
    volume = tmp_path / "VOLUME"
    main = board.folder / "main.py"

    def come_back(_: bytes) -> None:
        main.unlink()
        board.plug_in()

    def appear_when_asked() -> None:
        if board.in_bootloader.wait(30):
            drive.appear()

    drive = Uf2Drive(volume, "RP2040", len(data), on_written=come_back)
    main.write_text(sleeping_node(awake=3, asleep_ms=7000))
    board.vanishes = vanishes
    known = Port(board.port, "micropython", "Pico", "2E8A:0005")
    monkeypatch.setattr(flashing, "port_named", lambda _: known)
    wish = Wish(image=stored(data, tmp_path), volume=volume, limits=replace(QUICK, wake_s=60))
    board.plug_in()
    assert board.is_asleep.wait(20)
    threading.Thread(target=appear_when_asked, daemon=True).start()
    outcome = flashing.flash(board.port, wish, screen)
    drive.__exit__()
    assert outcome.ok, outcome.text
    assert drive.written == data
    assert any("wake" in step for step in screen.steps) and "next wake" in " ".join(screen.said)


@pytest.mark.slow
def test_a_hand_on_bootsel_ends_the_wait_for_a_wake(
    board: RawReplBoard, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = uf2_image(version=version_of_the_port())
    volume = tmp_path / "VOLUME"
    port = str(tmp_path / "ttyACM7")  # It is asleep, and never wakes.
    known = Port(port, "micropython", "Pico", "2E8A:0005")
    monkeypatch.setattr(flashing, "port_named", lambda _: known)
    drive = Uf2Drive(volume, "RP2040", len(data), on_written=lambda _: board.plug_in())
    threading.Timer(4, drive.appear).start()
    wish = Wish(image=stored(data, tmp_path), volume=volume, limits=replace(QUICK, wake_s=60))
    with answering_as(board, monkeypatch):
        outcome = flashing.flash(port, wish, screen)
    drive.__exit__()
    assert outcome.ok, outcome.text
    assert drive.written == data


@pytest.mark.slow
def test_no_board_at_all_is_waited_for_until_one_is_plugged_in(
    board: RawReplBoard, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def there(*_: object) -> list[str]:
        return [board.port] * Path(board.port).exists()

    def flash(target: str, *_: object) -> flashing.Outcome:
        taken.append(target)
        return flashing.Outcome(target, True, "")

    monkeypatch.setattr(flashing, "targets", there)
    monkeypatch.setattr(flashing, "flash", flash)
    threading.Timer(1.5, board.plug_in).start()
    wish = Wish(volume=tmp_path / "none", limits=replace(QUICK, wake_s=60))
    assert flashing.flash_by_hand(wish, screen).ok and taken == [board.port]
    assert screen.steps["waiting for a board"]


@pytest.mark.parametrize(
    "data, said",
    [
        (uf2_image(RP2350_ARM, machine=PICO_2_W), "is for RP2350"),
        (esp_image("ESP32"), "is for ESP32"),
        (uf2_image()[:-512], "missing"),
        (b"<html>not found</html>" * 50, "web page"),
    ],
)
def test_tools_5_the_wrong_image_is_refused_before_anything_is_copied(
    data: bytes, said: str, screen: Screen, tmp_path: Path
) -> None:
    volume = tmp_path / "VOLUME"
    with Uf2Drive(volume, "RP2040", len(data)):
        before = sorted(volume.iterdir())
        wish = Wish(image=stored(data, tmp_path), limits=QUICK)
        outcome = flashing.flash(str(volume), wish, screen)
        assert not outcome.ok
        assert said in outcome.text
        assert sorted(volume.iterdir()) == before


def test_tools_5_an_rp2040_image_is_refused_by_a_pico_2_w(screen: Screen, tmp_path: Path) -> None:
    data = uf2_image()
    volume = tmp_path / "VOLUME"
    with Uf2Drive(volume, "RP2350", len(data)):
        wish = Wish(image=stored(data, tmp_path), limits=QUICK)
        outcome = flashing.flash(str(volume), wish, screen)
    assert not outcome.ok and "has RP2350" in outcome.text


def test_tools_5_the_image_of_a_board_without_wifi_is_refused_by_a_running_pico_w(
    board: RawReplBoard, screen: Screen, tmp_path: Path
) -> None:
    data = uf2_image(machine="Raspberry Pi Pico with RP2040")
    board.plug_in()
    wish = Wish(image=stored(data, tmp_path), limits=QUICK)
    outcome = flashing.flash(board.port, wish, screen)
    assert not outcome.ok
    assert "--board" in outcome.text
    assert not board.in_bootloader.is_set()


def test_a_board_of_another_make_is_not_given_the_pico_ws_image_by_itself(
    screen: Screen, tmp_path: Path
) -> None:
    (tmp_path / "board").mkdir()
    pico = RawReplBoard(
        *(tmp_path / "board", tmp_path / "ttyACM0", micropython()),
        machine="Raspberry Pi Pico with RP2040",
        build="RPI_PICO",
    )
    with pico:
        outcome = flashing.flash(pico.port, Wish(limits=QUICK), screen)
        assert not outcome.ok
        assert "needs Wi-Fi" in outcome.text and "--board RPI_PICO_W" in outcome.text
        assert not pico.in_bootloader.is_set()


def test_a_drive_that_never_takes_the_image_is_a_failure(screen: Screen, tmp_path: Path) -> None:
    data = uf2_image()
    volume = tmp_path / "VOLUME"
    with Uf2Drive(volume, "RP2040", len(data), stuck=True):
        wish = Wish(image=stored(data, tmp_path), limits=Limits(gone_s=1))
        outcome = flashing.flash(str(volume), wish, screen)
    assert not outcome.ok and "has not taken the image" in outcome.text


def test_a_board_that_does_not_come_back_is_a_failure(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flashing, "all_ports", list)
    data = uf2_image()
    volume = tmp_path / "VOLUME"
    with Uf2Drive(volume, "RP2040", len(data)):
        wish = Wish(image=stored(data, tmp_path), limits=Limits(answer_s=1))
        outcome = flashing.flash(str(volume), wish, screen)
    assert not outcome.ok and "no MicroPython answered" in outcome.text


@pytest.mark.slow
def test_a_hand_is_guided_to_bootsel_and_waited_for_no_longer_than_said(
    screen: Screen, tmp_path: Path
) -> None:
    for limits in Limits(hand_s=1), Limits(wake_s=1):
        begin = time.monotonic()
        outcome = flashing.flash_by_hand(Wish(volume=tmp_path / "none", limits=limits), screen)
        assert time.monotonic() - begin < 6
    assert not outcome.ok and "--volume" in outcome.text
    assert any("BOOTSEL" in text for text in screen.said)


def test_erase_is_not_pretended_for_a_pico(screen: Screen, tmp_path: Path) -> None:
    with Uf2Drive(tmp_path / "VOLUME", "RP2040", 1):
        outcome = flashing.flash(str(tmp_path / "VOLUME"), Wish(erase=True), screen)
    assert not outcome.ok and "fieldpost erase" in outcome.text


def test_a_folder_that_is_no_volume_and_another_makers_bootloader_are_refused(
    screen: Screen, tmp_path: Path
) -> None:
    assert "no UF2 volume" in flashing.flash(str(tmp_path), Wish(), screen).text
    (tmp_path / "INFO_UF2.TXT").write_text(
        "UF2 Bootloader v1.1\r\nModel: Feather M0\r\nBoard-ID: SAMD21G18A-Feather\r\n"
    )
    outcome = flashing.flash(str(tmp_path), Wish(), screen)
    assert not outcome.ok and "Feather M0" in outcome.text


def test_volumes_are_found_by_what_is_in_them_not_by_their_label(tmp_path: Path) -> None:
    odd, label = tmp_path / "NO NAME", tmp_path / "RPI-RP2"
    label.mkdir()
    with Uf2Drive(odd, "RP2040", 1):
        assert [volume.folder for volume in uf2_volume.find([odd, label])] == [odd]


def test_of_two_new_volumes_the_user_chooses(tmp_path: Path) -> None:
    one, two = tmp_path / "A", tmp_path / "B"
    with Uf2Drive(one, "RP2040", 1), Uf2Drive(two, "RP2040", 1):
        with pytest.raises(CommandError, match="--volume"):
            uf2_volume.wait_for(1, folders=[one, two])
        found = uf2_volume.wait_for(1, folders=[one, two], besides=[one])
    assert found and found.folder == two


def test_the_drives_of_this_platform_are_looked_at_without_harm() -> None:
    begin = time.monotonic()
    uf2_volume.find()
    assert time.monotonic() - begin < 5
