"""One file of modules beside a tree of them, on a genuine Pico W image: time, heap, flash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rigs.pico_w import SECRETS, configuration, image

from fieldpost.board.link import open_link
from fieldpost.config.checked import with_checked
from fieldpost.deploy.build import for_pico_w
from fieldpost.emulator.emulator import Emulator

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(120)]

# As main.py begins. The emulated chip counts its own milliseconds: a busy machine changes none.
_BUILD = """
import gc, json, os, time
gc.threshold(32768)
gc.collect()
start = time.ticks_us()
from firmware import app, files
from firmware.board import Board
from firmware.clock import Clock
settings, errors = app.read_settings()
board = Board()
clock = Clock(board.time, board.clock_is_set())
node = app.build(board, clock, settings, print, files, board.feed)
ms = time.ticks_diff(time.ticks_us(), start) // 1000
gc.collect()
blocks = os.statvfs("/")
print(json.dumps({"ms": ms, "free": gc.mem_free(), "blocks": blocks[2] - blocks[3]}))
"""


def _built(mode: str, *, packed: bool) -> dict[str, Any]:
    """Until a node of this mode is built: milliseconds, the heap left, blocks of flash in use."""
    made = for_pico_w()
    files = dict(made.files) if packed else {"boot.py": made.files["boot.py"], **made.modules}
    files.pop("main.py", None)  # nothing runs by itself
    files["config.json"] = json.dumps(configuration(mode=mode, sample_s=60)).encode()
    files["secrets.json"] = json.dumps(SECRETS).encode()
    with (
        Emulator(image(), files=with_checked(files), ports={}) as board,
        open_link(board.console, 30) as link,
    ):
        link.soft_reset()
        said = link.exec(_BUILD, 60).decode()
    return json.loads(said.splitlines()[-1])


@pytest.mark.parametrize("mode", ["always_on", "duty_cycle"])
def test_a_node_is_built_sooner_from_a_pack_than_from_a_tree(mode: str) -> None:
    tree, pack = _built(mode, packed=False), _built(mode, packed=True)
    print(f"{mode}: tree {tree}, pack {pack}")
    assert pack["ms"] < tree["ms"] * 0.6
    assert pack["blocks"] < tree["blocks"] / 2
    # What finds the modules has its table and its code in the heap.
    assert pack["free"] > tree["free"] - 3500
