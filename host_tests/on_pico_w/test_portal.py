"""A Pico W that nobody has set up, on the genuine image: it opens its own access point."""

from __future__ import annotations

import re

import pytest
from rigs.pico_w import board_files, configuration, image

from fieldpost.board.link import open_link
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import Emulator

pytestmark = [pytest.mark.board, pytest.mark.timeout(90)]


def test_a_board_without_settings_opens_its_access_point_and_ctrl_c_ends_it() -> None:
    files = board_files(configuration())
    del files["secrets.json"]
    with Emulator(image(), files=files, ports={}) as board:
        with Console(board.console) as console:
            at = console.wait_for("with the password", 40)
            said = console.lines[at - 1]
        assert re.search(
            r"network fieldpost-pico with the password (\w{4}-?){3}, then open http://192.168.4.1/$",
            said,
        ), said
        with open_link(board.console, 30) as link:  # stops it, as fieldpost provision does
            is_open = "import network; print(network.WLAN(network.WLAN.IF_AP).active())"
            assert link.exec(is_open) == b"False\r\n"
