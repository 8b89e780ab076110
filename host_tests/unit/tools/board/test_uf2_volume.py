"""A UF2 drive that goes with the last block is no failure, however late the system notices."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from fieldpost.board import uf2_volume
from fieldpost.errors import CommandError


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> uf2_volume.Volume:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    folder = tmp_path / "RPI-RP2"
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text("Model: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    (tmp_path / "image.uf2").write_bytes(b"x" * 512)
    monkeypatch.setattr(uf2_volume.os, "fsync", fails)
    found = uf2_volume.read(folder)
    assert found
    return found


def test_a_drive_that_is_listed_for_a_moment_after_it_went_has_the_image(
    drive: uf2_volume.Volume, tmp_path: Path
) -> None:
    timer = threading.Timer(0.5, (drive.folder / "INFO_UF2.TXT").unlink)
    timer.start()
    uf2_volume.copy(tmp_path / "image.uf2", drive)
    timer.join()


def test_a_drive_that_stays_after_the_error_has_not(
    drive: uf2_volume.Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uf2_volume, "_UNLISTED_S", 0.3)
    with pytest.raises(CommandError, match="Input/output error"):
        uf2_volume.copy(tmp_path / "image.uf2", drive)
