"""`fieldpost boards` says what is on each port, in bounded time, and disturbs no stranger."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rigs.port import micropython
from serial.tools.list_ports_common import ListPortInfo
from typer.testing import CliRunner

from fakes.board_images import real_pico_w
from fakes.esp_board import EspBoard
from fakes.raw_repl import RawReplBoard
from fakes.serial_lines import chatty_port, silent_port
from fakes.uf2_drive import Uf2Drive
from fieldpost.board import find as boards
from fieldpost.board import ports
from fieldpost.paths import ROOT
from fieldpost.upkeep import boards_command
from firmware import VERSION

_EMULATOR_S = 30


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RawReplBoard]:
    """A board with Fieldpost's own version file and a node's configuration."""
    folder = tmp_path / "board"
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "__init__.py").write_text(
        (ROOT / "firmware" / "__init__.py").read_text()
    )
    (folder / "config.json").write_text('{"node": "greenhouse-1"}')
    with RawReplBoard(folder, tmp_path / "ttyNODE", micropython()) as board:
        yield board


def usb(device: str, vid: int, pid: int, product: str | None = None) -> ListPortInfo:
    info = ListPortInfo(device)
    info.vid, info.pid, info.product, info.serial_number = vid, pid, product, "1234"
    return info


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(boards_command.boards)
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_node_is_named_with_its_version_chip_and_build(node: RawReplBoard) -> None:
    (board,) = boards.find([node.port])
    assert board.state == "micropython"
    assert (board.node, board.fieldpost) == ("greenhouse-1", VERSION)
    assert (board.chip, board.build) == ("RP2040", "RPI_PICO_W")
    assert re.fullmatch(r"1\.\d+\.\d+(-preview)?", board.micropython or "")
    assert board.mpy is not None and board.mpy & 0xFF == 6
    assert board.uid == "e6614104035f8a2c"


def test_the_application_is_not_imported_to_ask_for_its_version(node: RawReplBoard) -> None:
    (node.folder / "firmware" / "app.py").write_text("open('/imported', 'w')\n")
    assert boards.find([node.port])[0].fieldpost == VERSION
    assert not (node.folder / "imported").exists()


@pytest.mark.slow
def test_tools_1_silent_and_chatty_ports_are_asked_at_once_and_hold_nobody_up(
    node: RawReplBoard,
) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(silent_port()) for _ in range(8)]
        chatty = stack.enter_context(chatty_port())
        begin = time.monotonic()
        found = boards.find([*silent, chatty, node.port], limit_s=2)
        took_s = time.monotonic() - begin
    assert [board.state for board in found] == ["silent"] * 8 + ["chatty", "micropython"]
    assert took_s < 8, "the limits added up"
    assert all(board.detail for board in found[:9])


@pytest.mark.slow
def test_tools_1_a_driver_that_hangs_in_open_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, node: RawReplBoard
) -> None:
    real = boards.ask

    def ask(port: ports.Port, limit_s: float) -> boards.Board:
        if port.device == "COM7":
            time.sleep(30)
        return real(port, limit_s)

    monkeypatch.setattr(boards, "ask", ask)
    begin = time.monotonic()
    found = boards.find(["COM7", node.port], limit_s=1)
    assert time.monotonic() - begin < 8
    assert [board.state for board in found] == ["unavailable", "micropython"]
    assert "unplug" in found[0].detail


def test_ports_are_named_as_what_they_are_and_strangers_are_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        usb("/dev/ttyUSB0", 0x10C4, 0xEA60),
        usb("/dev/ttyUSB1", 0x1A86, 0x7523),
        usb("/dev/ttyACM0", 0x2E8A, 0x0005),
        usb("/dev/ttyACM1", 0x303A, 0x1001),
        usb("/dev/ttyACM2", 0x303A, 0x80D1, "TinyS3"),
        usb("/dev/ttyACM3", 0x1546, 0x01A8, "u-blox GNSS receiver"),
        usb("/dev/ttyACM4", 0x2E8A, 0x000C),
        ListPortInfo("/dev/ttyS0"),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    asked: list[str] = []

    def ask(port: ports.Port, _: float) -> boards.Board:
        asked.append(port.device)
        return boards.Board(port.device, "silent", port.description)

    monkeypatch.setattr(boards, "ask", ask)
    by_port = {board.port: board for board in boards.find(volumes=[])}
    assert "bridge" in by_port["/dev/ttyUSB0"].usb and "CP210x" in by_port["/dev/ttyUSB0"].usb
    assert "CH340" in by_port["/dev/ttyUSB1"].usb
    assert "Pico with MicroPython" in by_port["/dev/ttyACM0"].usb
    assert by_port["/dev/ttyACM2"].usb == "TinyS3"
    assert by_port["/dev/ttyACM3"].state == "not asked"
    assert by_port["/dev/ttyACM4"].state == "not asked"
    assert "/dev/ttyS0" not in by_port
    assert sorted(asked) == [
        *("/dev/ttyACM0", "/dev/ttyACM1", "/dev/ttyACM2", "/dev/ttyUSB0", "/dev/ttyUSB1")
    ]


def test_no_ask_opens_no_port(node: RawReplBoard) -> None:
    (board,) = boards.find([node.port], ask=False)
    assert board.state == "not asked"
    assert node.bytes_received == 0


@pytest.mark.slow
def test_an_esp32_in_its_bootloader_is_seen_without_a_reset() -> None:
    with EspBoard("esp32c3") as board:
        (found,) = boards.find([board.url], limit_s=1)
    assert found.state == "bootloader"


def test_uf2_volumes_are_listed_with_their_chip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    old, new = tmp_path / "RPI-RP2", tmp_path / "RP2350"
    with Uf2Drive(old, "RP2040", 1), Uf2Drive(new, "RP2350", 1):
        found = boards.find(volumes=[old, new, tmp_path])
    assert [(board.port, board.state, board.chip) for board in found] == [
        (str(new), "bootloader", "RP2350"),
        (str(old), "bootloader", "RP2040"),
    ]


@pytest.mark.parametrize(
    "machine, chip",
    [
        ("Raspberry Pi Pico 2 W with RP2350", "RP2350"),
        ("Generic ESP32 module with ESP32", "ESP32"),
        ("Generic ESP32S3 module with ESP32S3", "ESP32-S3"),
        ("ESP32C6 module with ESP32C6", "ESP32-C6"),
        ("ESP32-C3 module with ESP32-C3", "ESP32-C3"),
        ("linux [GCC 14.2.1] version", None),
    ],
)
def test_the_chip_is_read_from_what_micropython_calls_the_board(
    machine: str, chip: str | None
) -> None:
    assert boards.chip_of(machine) == chip


def test_json_has_every_field_and_the_table_reads_well(node: RawReplBoard) -> None:
    status, said = run("--port", node.port, "--json")
    (board,) = json.loads(said)["boards"]
    assert (status, board["node"], board["state"]) == (0, "greenhouse-1", "micropython")
    status, said = run("--port", node.port)
    assert status == 0
    assert "greenhouse-1" in said and f"Fieldpost {VERSION}" in said and "RPI_PICO_W" in said


def test_a_named_port_without_a_board_is_a_failure_with_advice(tmp_path: Path) -> None:
    status, said = run("--port", str(tmp_path / "ttyUSB7"))
    assert status == 1
    assert "there is no port" in said
    with silent_port() as port:
        status, said = run("--port", port, "--timeout", "0.5")
    assert status == 1
    assert "fieldpost flash" in said


def test_no_board_at_all_says_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    monkeypatch.setattr(boards.uf2_volume, "find", lambda _: [])
    assert "BOOTSEL" in run()[1]
    assert json.loads(run("--json")[1]) == {"ok": True, "boards": []}


@pytest.mark.board
def test_the_genuine_pico_w_image_is_recognised() -> None:
    pytest.importorskip("rp2040py", reason="the emulated Pico W is not installed")
    command = [sys.executable, "-m", "rp2040py", "micropython", "--board", "pico_w", "--pty"]
    emulator = subprocess.Popen(
        [*command, "--image", str(real_pico_w())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert emulator.stdout
        device = None
        for line in emulator.stdout:
            if found := re.search(r"listening on (/dev/\S+)", line):
                device = found[1]
                break
        assert device, "the emulator named no port"
        (board,) = boards.find([device], limit_s=_EMULATOR_S)
    finally:
        emulator.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            emulator.wait(5)
        emulator.kill()
        emulator.wait()
    assert (board.chip, board.build, board.micropython) == ("RP2040", "RPI_PICO_W", "1.25.0")
    assert board.fieldpost is None and board.node is None


def test_no_board_at_all_is_an_answer_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "find", lambda *_, **__: [])
    status, said = run()
    assert status == 0 and "cable" in said and "fieldpost emulate --bare" in said
    status, said = run("--json")
    assert status == 0 and json.loads(said) == {"ok": True, "boards": []}
