"""The README's first board on an emulated ESP32-C3: from nothing to its sensor's reading."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from rigs import first_board
from rigs.esp32_c3 import afresh, machine, told_apart

from fieldpost.board.emulated import announced
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.mqtt.brokers import Broker
from fieldpost.wired import devices
from fieldpost.wired.plan import plan


@pytest.mark.timeout(400)
@afresh
def test_the_first_board_of_the_readme_measures_what_its_bme280_was_told(
    genuine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))  # afresh, too
    environment = first_board.environment(folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", environment["XDG_RUNTIME_DIR"])
    sensors = plan(devices.parse(["bme280"]), 1, ["temperature=19.5"])
    with (
        Broker("mosquitto") as broker,
        machine(genuine, {}, ports={first_board.PORT: broker.port}, wired=sensors) as board,
        told_apart(board),
        announced(board.console, ESP32_C3.title),
    ):
        first_board.walk(ESP32_C3, broker, environment, folder)
