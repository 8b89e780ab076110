"""A Pico gets MicroPython from the page, by its drive or as a file: the catalogue's, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.flash import Screen, version_of_the_port
from rigs.port import micropython
from rigs.serving import OWN, Parts

from fakes.board_images import RP2350_ARM, uf2_image
from fakes.image_server import ImageServer
from fakes.raw_repl import RawReplBoard
from fakes.uf2_drive import Uf2Drive
from fieldpost.board.ports import Port
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue, flashing
from fieldpost.flash.catalogue import Entry
from fieldpost.flash.flashing import Limits
from fieldpost.serve.set_up import drive
from fieldpost.serve.set_up.job import Source

PATIENT = Limits(hand_s=30, gone_s=10, answer_s=30)
SHORT = Limits(hand_s=0.5, gone_s=10, answer_s=30)
PICO, PICO_2 = "RPI_PICO_W", "RPI_PICO2_W"


def never() -> bool:
    return False


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A catalogue of two images, and a server that has them: to be changed by a test."""
    version = version_of_the_port()
    files = {
        PICO: uf2_image(version=version, blocks=200),
        PICO_2: uf2_image(
            RP2350_ARM, machine="Raspberry Pi Pico 2 W with RP2350", version=version, blocks=200
        ),
    }
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path / "cache"))
    with ImageServer({f"/{name}.uf2": data for name, data in files.items()}) as server:
        entries = [
            Entry(
                name,
                "RP2040" if name == PICO else "RP2350",
                version,
                f"{server.url}/{name}.uf2",
                len(data),
                hashlib.sha256(data).hexdigest(),
            )
            for name, data in files.items()
        ]
        monkeypatch.setattr(catalogue, "load", lambda: entries)
        yield server.files


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawReplBoard]:
    """It comes back as one of this machine's USB ports."""
    (tmp_path / "board").mkdir()
    one = RawReplBoard(tmp_path / "board", tmp_path / "ttyACM0", micropython())

    def ports() -> list[Port]:
        there = Path(one.port).exists()
        return [Port(one.port, "micropython", "Pico", "2E8A:0005", "77")] * there

    monkeypatch.setattr(flashing, "all_ports", ports)
    yield one
    one.unplug()


class Hand(Screen):
    """Holds BOOTSEL when it is told that the drive is waited for."""

    def __init__(self, stick: Uf2Drive) -> None:
        super().__init__()
        self._stick = stick

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        if what not in self.steps:
            self._stick.appear()
        super().count_down(where, what, left_s, total_s)


def source(tmp_path: Path, limits: Limits = PATIENT) -> Source:
    return Source(volume=tmp_path / "VOLUME", limits=limits)


@pytest.mark.parametrize("is_there_before", [True, False])
def test_the_drive_gets_the_catalogues_image_and_the_board_answers(
    is_there_before: bool, shelf: dict[str, bytes], board: RawReplBoard, tmp_path: Path
) -> None:
    data = shelf[f"/{PICO}.uf2"]
    stick = Uf2Drive(
        tmp_path / "VOLUME", "RP2040", len(data), on_written=lambda _: board.plug_in()
    )
    screen = Screen() if is_there_before else Hand(stick)
    if is_there_before:
        stick.appear()
    done = drive.put_on(PICO, source(tmp_path), screen, never)
    stick.__exit__()
    assert stick.written == data and done["micropython"].startswith(version_of_the_port())
    assert ("waiting for the drive" in screen.steps) != is_there_before


def test_another_boards_drive_is_refused_and_stays_as_it_is(
    shelf: dict[str, bytes], tmp_path: Path
) -> None:
    with Uf2Drive(tmp_path / "VOLUME", "RP2040", 1) as stick:
        with pytest.raises(CommandError, match="RPI_PICO2_W has another chip"):
            drive.put_on(PICO_2, source(tmp_path), Screen(), never)
        assert stick.written is None
        assert not list(stick.folder.glob("*.uf2"))


def test_an_image_that_is_not_the_catalogues_is_found_before_a_hand_is_asked_for(
    shelf: dict[str, bytes], tmp_path: Path
) -> None:
    shelf[f"/{PICO}.uf2"] = uf2_image(blocks=200, version="9.9.9")
    screen = Screen()
    with pytest.raises(CommandError, match="not the image that the catalogue names"):
        drive.put_on(PICO, source(tmp_path), screen, never)
    assert "waiting for the drive" not in screen.steps


def test_no_drive_and_nobody_who_waits(shelf: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no drive appeared within 0\.5 s"):
        drive.put_on(PICO, source(tmp_path, SHORT), Screen(), never)
    with pytest.raises(CommandError, match="nothing was written"):
        drive.put_on(PICO, source(tmp_path), Screen(), lambda: True)


def test_a_board_without_a_drive_is_none() -> None:
    told = {one["board"]: one["drive"] for one in drive.boards()}
    assert told == {PICO: "RPI-RP2", PICO_2: "RP2350"}
    for name in ("ESP32_GENERIC", "", "../x"):
        with pytest.raises(CommandError, match="no such board"):
            drive.image_for(name, Source(), Screen())


def test_the_file_is_had_with_its_hash(shelf: dict[str, bytes], tmp_path: Path) -> None:
    client = Parts(tmp_path).client()
    assert client.get(f"/api/set-up/image/{PICO_2}").status_code == 400
    told = client.post("/api/set-up/image", json={"board": PICO_2}, headers=OWN).json()
    data = client.get(f"/api/set-up/image/{PICO_2}").content
    assert data == shelf[f"/{PICO_2}.uf2"]
    assert told["sha256"] == hashlib.sha256(data).hexdigest() and told["drive"] == "RP2350"
    told = client.post("/api/set-up/image", json={"board": "ESP32_GENERIC"}, headers=OWN)
    assert told.status_code == 502 and "no such board" in told.json()["error"]


def test_another_page_has_the_only_drive(shelf: dict[str, bytes], tmp_path: Path) -> None:
    own: dict[str, Any] = {"origin": "http://127.0.0.1:8470", "host": "127.0.0.1:8470"}
    client = Parts(tmp_path, source=source(tmp_path, Limits(hand_s=3))).client()
    with client.websocket_connect("/api/drive", headers=own) as first:
        first.send_text('{"board": "RPI_PICO_W"}')
        while (told := first.receive_json()).get("text") != "waiting for the drive":
            assert told["kind"] != "failed", told
        with client.websocket_connect("/api/drive", headers=own) as second:
            assert second.receive()["code"] == 1013
        while (told := first.receive_json())["kind"] != "failed":
            pass
    assert "no drive appeared" in told["text"]
