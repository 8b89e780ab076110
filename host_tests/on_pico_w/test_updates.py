"""What an update over the air takes of the heap of a genuine Pico W image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs.flash_board import Computer, Release, built
from rigs.pico_w import NODE, PORT, SCRIPTS, board_files, configuration, image

from fakes.releases import keys_file
from fieldpost.board.link import open_link
from fieldpost.deploy.build import Build
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.emulator import Emulator
from fieldpost.mqtt.brokers import Broker

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(200)]

# Of the node's heap, at most, while an offer is checked and fetched: what is loaded, and pieces.
_MORE_MAX = 12_000


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkouts")


def _files(config: dict[str, Any], firmware: Build | None = None) -> dict[str, bytes]:
    files = board_files(config) | (firmware.files if firmware else {})
    return files | {"update.keys": keys_file(counter=10)}


def _release(build: Build, counter: int = 17) -> Release:
    return Release(build.files["firmware.pack"], counter, platform="rp2")


def test_what_an_update_takes_of_the_heap(checkouts: Path) -> None:
    good = built(checkouts, "rp2", safe_mode=("safe mode: %d", "in safe mode: %d"))
    files = _files(configuration()) | {
        "measure_update.mpy": compile_module(SCRIPTS / "measure_update.py", "measure_update.py")
    }
    del files["main.py"]
    with (
        Broker("mosquitto") as broker,
        Emulator(image(), files=files, ports={PORT: broker.port}) as board,
        Computer(broker.port, NODE) as computer,
        open_link(board.console, 30) as link,
    ):
        said = bytearray()

        def heard(data: bytes) -> None:
            said.extend(data)
            if b"steady" in said and not computer.release:
                computer.offer(_release(good))

        link.soft_reset()
        link.exec("import measure_update\nmeasure_update.measure_update()", 150, heard)
    steady, switched = (json.loads(line) for line in said.decode().splitlines()[-2:])
    print(steady, switched)
    assert steady["free"] - min(switched["lowest"].values()) <= _MORE_MAX
