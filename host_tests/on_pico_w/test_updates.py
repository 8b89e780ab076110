"""Updates over the air on the genuine Pico W image, over Mosquitto: good ones, bad ones, heap."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from rigs.flash_board import Computer, Release, built
from rigs.pico_w import NODE, Desk, board_files, configuration
from rigs.updates import modulus

from fieldpost.deploy.build import Build
from fieldpost.mqtt.brokers import find_mosquitto

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(200)]

_CONSOLE_S = 60
# Where the heap is lowest: as a piece comes in, and as the signature is checked.
_LOW = """
import gc
_LOW = [1 << 30, ""]
def note(what):
    gc.collect()
    if gc.mem_free() < _LOW[0]:
        _LOW[:] = gc.mem_free(), what
        print("heap: %d free, %s" % (_LOW[0], what))
"""


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not find_mosquitto():
        pytest.skip("mosquitto is not installed")
    return tmp_path_factory.mktemp("checkouts")


def _files(config: dict[str, Any], firmware: Build | None = None) -> dict[str, bytes]:
    files = board_files(config) | (firmware.files if firmware else {})
    given = {"counter": 10, "keys": [modulus()]}
    return files | {"update.keys": json.dumps(given).encode()}


def _release(build: Build, counter: int = 17) -> Release:
    return Release(build.files["firmware.pack"], counter, platform="rp2")


def test_a_changed_module_goes_out_to_a_node_that_is_awake_and_a_bad_one_comes_back(
    checkouts: Path,
) -> None:
    good = built(checkouts, "rp2", safe_mode=("safe mode: %d", "in safe mode: %d"))
    bad = built(checkouts, "rp2", app=("_TICK_MS =", "raise ValueError('bad day')\n_TICK_MS ="))
    with Desk(_files(configuration())) as desk, Computer(desk.broker.port, NODE) as computer:
        computer.told("idle", limit_s=_CONSOLE_S)
        begin = time.monotonic()
        computer.offer(_release(good))
        done = computer.told("done", limit_s=_CONSOLE_S)
        print(f"done in {time.monotonic() - begin:.1f} s, {computer.sent_bytes} bytes")
        assert done["installed"]["counter"] == 17 and done["chip"] == "rp2040"
        begin = time.monotonic()
        computer.offer(_release(bad, 18))
        back = computer.told("back", limit_s=100)
        print(f"back in {time.monotonic() - begin:.1f} s")
        assert "3 starts came to nothing" in back["error"]
        assert back["installed"]["counter"] == 17
        lines = desk.console.lines
        print("\n".join(line for line in lines if "update" in line or "reset:" in line))
        assert desk.account.out_of_order == 0
