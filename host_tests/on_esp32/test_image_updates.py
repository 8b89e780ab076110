"""MicroPython itself over the air, on a genuine ESP32-C3 image and with the chip's own bootloader.

This QEMU keeps what it has cached of flash over a reset, so a program that differs from the one
before it crashes or hangs after one. That is what shows the way back; one that differs in its
description alone shows the way forward.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.emulated import Bench
from rigs.esp32_c3 import (
    NODE,
    afresh,
    board_files,
    configuration,
    machine,
    running,
    told_apart,
)
from rigs.esp32_program import program_of, with_two_slots
from rigs.update_by_command import powered_when_silent
from rigs.update_keys import PASSPHRASE, make_keys

from fieldpost.board.errors import ProgramError
from fieldpost.board.link import open_link
from fieldpost.keys.folder import KeyFolder
from fieldpost.paths import ROOT

pytestmark = pytest.mark.timeout(400)

_READY_S = 40.0
# A question in the middle of a start was seen to end it.
_BOOT_S = 5.0
_HANGS_S = 12.0
_SLOTS = ROOT / "firmware" / "board" / "esp32_slots.py"
# By fieldpost/flash/two_slots.py, on 4 MB of flash.
_SECOND_SLOT = 0x10000 + 0x1C0000
_ASK = "import slots\ns = slots.Slots()\nprint(s.running, s.other, slots._state())"


def _files(keys: KeyFolder) -> dict[str, bytes]:
    return board_files(configuration()) | {"update.keys": keys.node_file()}


def _release(keys: KeyFolder, program: bytes, folder: Path) -> str:
    file = folder / "new.app-bin"
    file.write_bytes(program)
    secret = folder / "passphrase"
    secret.write_text(PASSPHRASE)
    ran = fieldpost(
        *("release", "make", "--image", str(file), "--chip", "esp32c3", "--json"),
        *("--dir", str(keys.folder), "--out", str(folder / "out")),
        *("--passphrase-file", str(secret)),
    )
    assert ran.status == 0, ran.err
    (made,) = (folder / "out").iterdir()
    return str(made)


def _update(desk: Bench, release: str) -> tuple[Ran, dict[str, Any]]:
    desk.console.wait_for("delivered ", _READY_S)
    # It has to find out first which firmware it has.
    where = ("--node", NODE, "--json", "--broker", desk.broker.url)
    desk.wait(lambda: '"idle"' in fieldpost("update", "--status", *where).out, 30, "its report")
    ran = fieldpost(
        *("update", "--release", release, "--timeout", "150", *where),
    )
    print(ran.out, ran.err, "\n".join(one for one in desk.console.lines if "sample" not in one))
    (node,) = json.loads(ran.out)["nodes"]
    return ran, node


@afresh
def test_a_good_one_is_fetched_started_and_stays(genuine: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys")
    image, files = with_two_slots(genuine, tmp_path), _files(keys)
    release = _release(keys, program_of(genuine, "1.99.9"), tmp_path)
    with running(image, files) as desk:
        ran, node = _update(desk, release)
        assert ran.status == 0, (ran.out, ran.err)
        assert node["state"] == "done"
        assert any("has proven itself" in line for line in desk.console.lines)
        # The power goes: the bootloader starts the new one, which is the old one's no more.
        at = len(desk.console.lines)
        desk.board.power()
        desk.console.wait_for("delivered ", _READY_S, at)
        taken = set(desk.taken())
        desk.wait(lambda: taken <= desk.account.delivered.keys(), 20, "all that was taken")


@afresh
def test_one_that_crashes_at_once_is_gone_and_the_node_says_so(
    genuine: Path, tmp_path: Path
) -> None:
    others = [one for one in genuine.parent.glob("ESP32_GENERIC_C3-*.bin") if one != genuine]
    if not others:
        pytest.skip("there is one ESP32-C3 image here alone")
    keys = make_keys(tmp_path / "keys")
    image, files = with_two_slots(genuine, tmp_path), _files(keys)
    release = _release(keys, program_of(others[0]), tmp_path)
    with running(image, files) as desk:
        # Some hang where others panic.
        with powered_when_silent(desk, _HANGS_S):
            ran, node = _update(desk, release)
        assert ran.status == 1 and node["state"] == "back", (ran.out, ran.err)
        assert "1 start came to nothing" in node["text"]
        tried = "\n".join(desk.console.lines).partition("is tried from")[2]
        first_start = tried.split("ESP-ROM")[1]
        assert "entry 0x" in first_start and "Fieldpost" not in first_start, "it never ran"
        taken = set(desk.taken())
        desk.wait(lambda: taken <= desk.account.delivered.keys(), 20, "all that was taken")


@afresh
def test_a_board_with_room_for_one_refuses_it(genuine: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys")
    files = _files(keys)
    release = _release(keys, program_of(genuine, "1.99.9"), tmp_path)
    with running(genuine, files) as desk:
        ran, node = _update(desk, release)
    assert ran.status == 1 and node["state"] == "refused"
    assert "no second place for MicroPython" in json.dumps(node)


@afresh
def test_the_bootloader_goes_back_from_what_nobody_calls_good(
    genuine: Path, tmp_path: Path
) -> None:
    """What host_tests/rigs/updates.py has in the chip's place."""
    image = with_two_slots(genuine, tmp_path)
    data = image.read_bytes()
    image.write_bytes(data.ljust(_SECOND_SLOT, b"\xff") + program_of(genuine))
    module = _SLOTS.read_bytes()
    with machine(image, {"slots.py": module}) as board, told_apart(board):

        def asked(more: str = "") -> list[str]:
            """The slot that runs, the other one, and the state of the choice."""
            with open_link(board.console, _READY_S) as link:
                return link.exec(f"{_ASK}\n{more}", _READY_S).decode().split()

        def restart() -> None:
            board.reset()
            time.sleep(_BOOT_S)

        assert asked("s.choose()") == ["ota_0", "ota_1", "2"]
        restart()
        assert asked() == ["ota_1", "ota_0", "1"], "it is tried"
        restart()
        assert asked("s.choose()") == ["ota_0", "ota_1", "4"], "and was not called good"
        restart()
        assert asked("s.proven()") == ["ota_1", "ota_0", "1"]
        restart()
        assert asked("s.write(0, bytes(4096))") == ["ota_1", "ota_0", "2"]
        with pytest.raises(ProgramError, match="ESP_ERR_OTA_VALIDATE_FAILED"):
            asked("s.choose()")
        restart()
        assert asked()[0] == "ota_1", "what is no program is not started"
