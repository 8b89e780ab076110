"""The real esptool and the ROM of an emulated ESP32-C3 that stays in its download mode.

With the stub that esptool loads, a write of more than some hundred kilobytes breaks off here. By
the ROM alone (`--no-stub`) a whole image was written and verified, in three minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rigs.esp32_c3 import DOWNLOAD_MODE, afresh, at_prompt, machine, told_apart

from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.littlefs import build_image
from fieldpost.flash import esp_image

pytestmark = pytest.mark.timeout(240)

_FLASH_BYTES = 4 * 1024 * 1024
# A file that is this short lies in the blocks of its folder, the first two.
_NOTE = b"written by esptool"
_WRITTEN = 64 * 1024


def _esptool(board: Emulator, *words: str) -> str:
    command = [sys.executable, "-m", "esptool", "--chip", "esp32c3", "--port", board.console]
    done = subprocess.run(
        [*command, "--before", "no-reset", "--after", "no-reset", *words],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@afresh
def test_esptool_knows_the_chip_and_what_it_writes_is_there_at_the_next_start(
    genuine: Path, tmp_path: Path
) -> None:
    address, _ = esp_image.file_system(genuine.read_bytes(), _FLASH_BYTES)
    made = build_image({"/note.txt": _NOTE}, ESP32_C3.file_system(genuine))
    begin, dump = tmp_path / "begin.bin", tmp_path / "dump.bin"
    begin.write_bytes(made[:_WRITTEN])
    with machine(genuine, settings=DOWNLOAD_MODE) as board, told_apart(board):
        said = _esptool(board, "flash-id")
        assert "Stub flasher running" in said and "Detected flash size: 4MB" in said
        assert "Chip type:          ESP32-C3" in said
        assert "Hash of data verified" in _esptool(board, "write-flash", hex(address), str(begin))
        board.dump(dump)
    with at_prompt(genuine, None, littlefs=dump) as (_, link):
        assert link.exec("print(open('note.txt').read())").strip() == _NOTE
