"""An ESP32-C3 that nobody has set up, on a genuine image: it opens its own access point."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rigs.esp32_c3 import afresh, board_files, configuration, machine, told_apart

from fieldpost.board.link import open_link
from fieldpost.emulator.console import Console

pytestmark = pytest.mark.timeout(120)


@afresh
def test_a_board_without_settings_opens_its_access_point_and_ctrl_c_ends_it(genuine: Path) -> None:
    files = board_files(configuration())
    del files["secrets.json"]
    with machine(genuine, files) as board, told_apart(board):
        with Console(board.console) as console:
            at = console.wait_for("with the password", 40)
            said = console.lines[at - 1]
        assert re.search(
            r"network fieldpost-esp with the password (\w{4}-?){3}, then open http://192.168.4.1/$",
            said,
        ), said
        with open_link(board.console, 30) as link:  # stops it, as fieldpost provision does
            is_open = "import network; print(network.WLAN(network.WLAN.IF_AP).active())"
            assert link.exec(is_open) == b"False\r\n"
