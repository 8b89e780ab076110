"""A new firmware comes to a genuine Pico W image whose outbox is full."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.deploy import Quiet
from rigs.pico_w import SECRETS, configuration, image

from fieldpost.deploy.build import for_pico_w
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.emulator.emulator import Emulator
from fieldpost.paths import ROOT

pytestmark = [pytest.mark.board, pytest.mark.timeout(280), pytest.mark.slow]

# By itself `outbox.flash_kib` is 256; each segment takes a block.
_SEGMENTS = 64
# Of an older, flat tree: modules that are packages now, and some that are gone.
_FLAT = ["config", "remote", "sensor_types", *(f"old{n}" for n in range(4))]


def _outbox() -> dict[str, bytes]:
    return {f"/outbox/{n:08d}.seg": bytes([n]) * 4090 for n in range(_SEGMENTS)}


@pytest.fixture(scope="module")
def board() -> Iterator[Emulator]:
    """With a firmware on it of which all that stands in a package stood in one folder."""
    genuine = image()
    now = for_pico_w().modules
    # What had no file of its own then: with it, nothing of an outbox could become so full.
    later = ("/sensor_types/", "/portal/", "/update/")
    old = {path: code for path, code in now.items() if not any(one in path for one in later)}
    old |= {f"firmware/{name}.mpy": b"\0" * 4000 for name in _FLAT}
    journal = "# Fieldpost 0.0.9\n" + "".join(f"= /{path}\n" for path in old)
    files = {"/" + path: data for path, data in old.items()} | _outbox()
    files["/.deploy/installed"] = journal.encode()
    files["/config.json"] = json.dumps(configuration(boot_window_s=5)).encode()
    files["/secrets.json"] = json.dumps(SECRETS).encode()
    with Emulator(genuine, files=files, real_time=True) as board:
        yield board


def test_a_tree_makes_way_for_the_pack_and_the_outbox_stays(board: Emulator) -> None:
    done = deploy(board.console, Wish(ROOT, start=False), Quiet())
    print(f"{done.parts} parts, {done.seconds} s, {done.text}")
    assert done.ok and done.parts == 2, done
    on_board = board.read_files()
    files = for_pico_w().files
    assert {path: on_board.get("/" + path) for path in files} == files
    old = [path for path in on_board if path.startswith(("/firmware/", "/lib/"))]
    assert not old, "something old was left"
    assert {path: on_board.get(path) for path in _outbox()} == _outbox()
    assert "/.deploy/commit" not in on_board


def test_with_a_full_outbox_a_pack_of_which_all_changed_fits_beside_the_old_one(
    board: Emulator, tmp_path: Path
) -> None:
    for name in ("boot.py", "main.py", "firmware", "lib"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(tmp_path / name)], check=True)
    for path in [*(tmp_path / "firmware").rglob("*.py"), *(tmp_path / "lib").glob("*.py")]:
        path.write_text(path.read_text() + "\n\nCHANGED = 1\n")
    done = deploy(board.console, Wish(tmp_path, start=False), Quiet())
    print(f"{done.parts} parts, {done.modules} modules, {done.seconds} s, {done.text}")
    assert done.ok and done.parts == 1 and done.modules > 80, done
    on_board = board.read_files()
    assert {path: on_board.get(path) for path in _outbox()} == _outbox()
