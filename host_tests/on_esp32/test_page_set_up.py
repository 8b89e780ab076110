"""A bare ESP32-C3, on a genuine image, set up from the page in Chromium."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rigs.esp32_c3 import NODE, PORT, afresh, machine, told_apart
from rigs.lent_port import sets_up
from rigs.serving import served

pytestmark = pytest.mark.timeout(400)


@afresh
def test_a_bare_esp32_c3_becomes_a_node_whose_readings_are_on_the_page(
    genuine: Path, tmp_path: Path
) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    with (
        served(folder) as page,
        machine(genuine, {}, ports={PORT: page.broker_port}) as board,
        told_apart(board),
    ):
        sets_up(page, board, NODE, folder / "profile")
        files = board.read_files()
    assert json.loads(files["/config.json"])["node"] == NODE and "/firmware.pack" in files
