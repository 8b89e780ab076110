"""A Pico W that nobody has set up, on the genuine image: it opens its own access point."""

from __future__ import annotations

import pytest
from rigs.pico_w import board_files, configuration, image
from rigs.set_up import opens_its_access_point_until_ctrl_c

from fieldpost.emulator.emulator import Emulator

pytestmark = [pytest.mark.board, pytest.mark.timeout(90)]


def test_a_board_without_settings_opens_its_access_point_and_ctrl_c_ends_it() -> None:
    files = board_files(configuration())
    del files["secrets.json"]
    with Emulator(image(), files=files, ports={}) as board:
        opens_its_access_point_until_ctrl_c(board.console, "fieldpost-pico")
