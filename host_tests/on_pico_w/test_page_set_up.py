"""A bare Pico W, on the genuine image, set up from the page in Chromium."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rigs.lent_port import sets_up
from rigs.pico_w import NODE, PORT, image
from rigs.serving import served

from fieldpost.emulator.emulator import Emulator
from fieldpost.mqtt.brokers import find_mosquitto

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_bare_pico_w_becomes_a_node_whose_readings_are_on_the_page(tmp_path: Path) -> None:
    genuine = image()
    if not find_mosquitto():
        pytest.skip("mosquitto is not installed")
    with (
        served(tmp_path) as page,
        Emulator(genuine, files={}, ports={PORT: page.broker_port}, real_time=True) as board,
    ):
        sets_up(page, board, NODE, tmp_path / "profile")
        files = board.read_files()
    assert json.loads(files["/config.json"])["node"] == NODE and "/firmware.pack" in files
