"""An ESP32-C3 that nobody has set up, on a genuine image: it opens its own access point."""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.esp32_c3 import afresh, board_files, configuration, machine, told_apart
from rigs.set_up import opens_its_access_point_until_ctrl_c

pytestmark = pytest.mark.timeout(120)


@afresh
def test_a_board_without_settings_opens_its_access_point_and_ctrl_c_ends_it(genuine: Path) -> None:
    files = board_files(configuration())
    del files["secrets.json"]
    with machine(genuine, files) as board, told_apart(board):
        opens_its_access_point_until_ctrl_c(board.console, "fieldpost-esp")
