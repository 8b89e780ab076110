"""`fieldpost update` to the genuine Pico W image, over Mosquitto: awake, asleep, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rigs.pico_w import NODE, Desk, board_files, configuration
from rigs.update_by_command import VERSION, newer, slept_before, update
from rigs.update_keys import make_keys
from rigs.updated_node import does_not_start

from fieldpost.keys.folder import KeyFolder

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(600)]
_READY_S = 120


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "keys")


def _desk(given: bytes, **changes: Any) -> Desk:
    return Desk(board_files(configuration(**changes)) | {"update.keys": given})


def test_a_changed_module_goes_to_a_node_that_is_awake(keys: KeyFolder, tmp_path: Path) -> None:
    release, given = newer(keys, tmp_path / "new", "rp2")
    with _desk(given) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = update(desk, NODE, release)
        assert told["state"] == "done", desk.console.lines[-40:]
        desk.console.wait_for(f"{VERSION} has proven itself", 20)
        desk.wait(
            lambda: any(boot > 1 and seq > 1 for boot, seq in desk.account.delivered), 60, ""
        )
        taken = [one for one in desk.taken() if one < max(desk.account.delivered)]
        assert not set(taken) - desk.account.delivered.keys(), "a reading was lost"


@pytest.mark.long
def test_a_changed_module_goes_to_a_node_that_sleeps(keys: KeyFolder, tmp_path: Path) -> None:
    release, given = newer(keys, tmp_path / "new", "rp2")
    rhythm = {"sample_s": 10, "deliver_every": 2, "health_s": 10}
    with _desk(given, mode="duty_cycle", **rhythm) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = update(desk, NODE, release)
        assert told["state"] == "done", desk.console.lines[-40:]
        assert slept_before(desk)


def test_one_that_does_not_start_comes_back_by_itself(keys: KeyFolder, tmp_path: Path) -> None:
    release, given = newer(keys, tmp_path / "bad", "rp2", does_not_start)
    with _desk(given) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = update(desk, NODE, release)
        assert told["state"] == "back" and "start" in told["text"], desk.console.lines[-40:]
        count = len(desk.account.delivered)
        desk.wait(lambda: len(desk.account.delivered) > count + 2, 60, "readings of the old one")
