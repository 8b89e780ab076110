"""A new firmware comes to a genuine Pico W image whose outbox is full."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from rigs.deploy import Quiet
from rigs.pico_w import SECRETS, configuration, image

from fieldpost.deploy.build import build, find_umqtt
from fieldpost.deploy.compile import firmware_files
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.emulator.emulator import Emulator
from fieldpost.paths import ROOT

pytestmark = [pytest.mark.board, pytest.mark.timeout(280), pytest.mark.slow]

# By itself `outbox.flash_kib` is 256; each segment takes a block.
_SEGMENTS = 64
# Of an older, flat tree: modules that are packages now, and some that are gone.
_FLAT = ["config", "remote", "sensor_types", *(f"old{n}" for n in range(20))]


def _outbox() -> dict[str, bytes]:
    return {f"/outbox/{n:08d}.seg": bytes([n]) * 4090 for n in range(_SEGMENTS)}


@pytest.fixture(scope="module")
def board() -> Iterator[Emulator]:
    """With a firmware on it of which all that stands in a package stood in one folder."""
    genuine = image()
    now = {path: data for path, data in firmware_files().items() if path != "boot.py"}
    old = {path: data for path, data in now.items() if path.count("/") < 2}
    old |= {f"firmware/{name}.mpy": b"\0" * 4000 for name in _FLAT}
    old["lib/umqtt/simple.mpy"] = now["lib/umqtt/simple.mpy"]
    journal = "# Fieldpost 0.0.9\n" + "".join(f"= /{path}\n" for path in old)
    files = {"/" + path: data for path, data in old.items()} | _outbox()
    files["/.deploy/installed"] = journal.encode()
    files["/config.json"] = json.dumps(configuration(boot_window_s=5)).encode()
    files["/secrets.json"] = json.dumps(SECRETS).encode()
    del files["/main.py"]  # what it would run is no firmware
    with Emulator(genuine, files=files, real_time=True) as board:
        yield board


def test_a_flat_tree_is_replaced_in_parts_and_the_outbox_stays(board: Emulator) -> None:
    done = deploy(board.console, Wish(ROOT, start=False), Quiet())
    print(f"{done.parts} parts, {done.seconds} s, {done.text}")
    assert done.ok and done.parts > 1, done
    on_board = board.read_files()
    files = build("rp2", ROOT, find_umqtt(ROOT, None)).files
    assert {path: on_board.get("/" + path) for path in files} == files
    ours = {path[1:] for path in on_board if path.startswith(("/firmware/", "/lib/"))}
    assert ours == {path for path in files if "/" in path}, "something old was left"
    assert {path: on_board.get(path) for path in _outbox()} == _outbox()
    assert "/.deploy/commit" not in on_board
