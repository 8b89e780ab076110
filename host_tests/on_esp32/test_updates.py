"""`fieldpost update` to a genuine ESP32-C3 image, over Mosquitto: awake, asleep, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.emulated import Bench
from rigs.esp32_c3 import NODE, afresh, board_files, configuration, running
from rigs.update_by_command import (
    VERSION,
    newer,
    powered,
    powered_when_silent,
    slept_before,
    update,
)
from rigs.update_keys import make_keys
from rigs.updated_node import does_not_start

from fieldpost.release.folder import Release

pytestmark = pytest.mark.timeout(300)
_READY_S = 40
# Without a sign of the node for so long the command gives it up: the emulator may have lost it.
_GIVE_UP = ("--timeout", "30")

# A release, and the node's keys.
Offered = tuple[Release, bytes]


@pytest.fixture
def good(tmp_path: Path) -> Offered:
    return newer(make_keys(tmp_path / "keys"), tmp_path / "good", "esp32")


def _wait_until_ready(desk: Bench) -> None:
    desk.wait(
        lambda: desk.updates and desk.account.delivered, _READY_S, "what it knows of updates"
    )


@afresh
def test_a_changed_module_goes_to_a_node_that_is_awake(genuine: Path, good: Offered) -> None:
    release, keys = good
    with running(genuine, board_files(configuration()) | {"update.keys": keys}) as desk:
        _wait_until_ready(desk)
        told = update(desk, NODE, release, *_GIVE_UP)
        assert told["state"] == "done", told
        desk.console.wait_for(f"{VERSION} has proven itself", 20)
        assert desk.account.out_of_order == 0


@afresh
def test_a_changed_module_goes_to_a_node_that_sleeps(genuine: Path, good: Offered) -> None:
    release, keys = good
    config = configuration(mode="duty_cycle", sample_s=10, deliver_every=2)
    with running(genuine, board_files(config) | {"update.keys": keys}) as desk:
        _wait_until_ready(desk)
        with powered(desk, "asleep for"):
            told = update(desk, NODE, release, *_GIVE_UP)
        assert told["state"] == "done", told
        assert slept_before(desk)


@afresh
def test_one_that_does_not_start_comes_back_by_itself(genuine: Path, tmp_path: Path) -> None:
    """Each of its starts ends at the prompt. The chip's watchdog would come after two minutes."""
    release, keys = newer(make_keys(tmp_path / "keys"), tmp_path / "bad", "esp32", does_not_start)
    with running(genuine, board_files(configuration()) | {"update.keys": keys}) as desk:
        _wait_until_ready(desk)
        with powered_when_silent(desk):
            told = update(desk, NODE, release, "--timeout", "60")
        assert told["state"] == "back" and "start" in told["text"], told
        count = len(desk.account.delivered)
        desk.wait(lambda: len(desk.account.delivered) > count + 2, 30, "readings of the old one")
        assert desk.account.out_of_order == 0
