"""A fleet's boards get MicroPython from real esptool and by a UF2 drive, and become its nodes."""

import threading
from pathlib import Path

import pytest
from rigs.deploy import Quiet, project
from rigs.flash import version_of_the_port
from rigs.port import micropython

from fakes.board_images import esp_image, uf2_image
from fakes.esp_board import EspBoard
from fakes.raw_repl import RawReplBoard
from fakes.uf2_drive import Uf2Drive
from fieldpost.board import uf2_volume
from fieldpost.board.ports import Port
from fieldpost.flash import esp, flashing
from fieldpost.fleet.board import Source
from fieldpost.fleet.file import Firmware, Node
from fieldpost.fleet.fleet import Fleet, Result

CONFIG = {"node": "n1", "mqtt": {"host": "192.168.1.10"}}


class Screen(Quiet):
    def finished(self, where: str) -> None: ...


def apply(folder: Path, port: str, uid: str, image: bytes, ending: str) -> Result:
    """What a fleet of one node makes of the board at `port`."""
    file = folder / f"image.{ending}"
    file.write_bytes(image)
    node = Node(uid, "n1", Firmware(image=file), dict(CONFIG), {"wifi": []})
    source = Source(project(folder / "checkout", "one"), ready_s=15)
    fleet = Fleet([node], Screen(), ports=[port], logs=folder / "logs", source=source)
    (result,) = fleet.apply().nodes
    print((folder / "logs" / "n1.log").read_text() if result.log else "no log")
    return result


def board_of(folder: Path, uid: str, **options: tuple[int, int, int]) -> RawReplBoard:
    (folder / "board").mkdir()
    return RawReplBoard(folder / "board", folder / "tty", micropython(), uid=uid, **options)


@pytest.mark.slow
def test_tools_6_an_empty_esp32_of_a_fleet_is_known_by_its_mac_flashed_and_becomes_its_node(
    tmp_path: Path,
) -> None:
    image = esp_image("ESP32", version=version_of_the_port())
    with EspBoard("esp32", runs=str(tmp_path / "tty")) as chip:
        mac = (esp.identify(chip.url).mac or "").replace(":", "")
        with board_of(tmp_path, mac) as board:
            result = apply(tmp_path, chip.url, mac, image, "bin")
        assert result.state == "done", result
        assert chip.verify(0x1000, tmp_path / "image.bin")
    assert result.changes[0].endswith("there is none") and "ready: tester" in result.text
    assert (board.folder / "config.json").exists() and (board.folder / "ran").exists()


@pytest.mark.slow
def test_tools_6_an_esp32_that_is_given_anothers_image_is_a_failure_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    with EspBoard("esp32") as chip:
        mac = (esp.identify(chip.url).mac or "").replace(":", "")
        result = apply(tmp_path, chip.url, mac, esp_image("ESP32-S3"), "bin")
        assert result.state == "failed" and "is for ESP32-S3" in result.text, result
        assert chip.read_back(0x1000, 0x100, tmp_path / "back") == b"\xff" * 0x100


@pytest.mark.slow
def test_tools_6_a_pico_w_of_another_version_goes_through_its_drive_and_becomes_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid, volume = "e6614104035f8a2c", tmp_path / "VOLUME"
    board = board_of(tmp_path, uid, version=(1, 20, 0))
    data = uf2_image(version=version_of_the_port())

    def start_the_new_one(_: bytes) -> None:
        board.version = None
        board.plug_in()

    drive = Uf2Drive(volume, "RP2040", len(data), on_written=start_the_new_one)

    def show_the_drive() -> None:
        if board.in_bootloader.wait(30):
            drive.appear()

    def ports() -> list[Port]:
        there = Path(board.port).exists()
        return [Port(board.port, "micropython", "Pico", "2E8A:0005", "77")] * there

    monkeypatch.setattr(uf2_volume, "_mounted", lambda: [volume])
    monkeypatch.setattr(flashing, "all_ports", ports)
    with board:
        threading.Thread(target=show_the_drive, daemon=True).start()
        result = apply(tmp_path, board.port, uid, data, "uf2")
    assert drive.written == data
    assert result.state == "done", result
    assert result.changes[0].startswith("MicroPython 1.20.0 → ")
    assert "ready: tester" in result.text and (board.folder / "ran").exists()
