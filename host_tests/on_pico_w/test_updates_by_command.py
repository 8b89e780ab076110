"""`fieldpost update` to the genuine Pico W image, over Mosquitto: awake, asleep, and back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rigs.command_line import fieldpost
from rigs.pico_w import NODE, Desk, board_files, configuration
from rigs.update_keys import make_keys
from rigs.updated_node import newer_tree, release_of

from fieldpost.keys.folder import KeyFolder
from fieldpost.release.folder import Release

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(600)]
_READY_S = 120


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "keys")


def _release(
    keys: KeyFolder, to: Path, change: Callable[[Path], None] | None = None
) -> tuple[Release, bytes]:
    """One in which a module is changed, and what the node is given of the keys before it."""
    given = keys.node_file()
    return release_of(newer_tree(to, "0.9.0", change), keys, "rp2"), given


def _desk(given: bytes, **changes: Any) -> Desk:
    return Desk(board_files(configuration(**changes)) | {"update.keys": given})


def _update(desk: Desk, release: Release, *words: str) -> dict[str, Any]:
    begin = time.monotonic()
    ran = fieldpost(
        *("update", "--release", str(release.folder), "--node", NODE),
        *("--broker", desk.broker.url, "--json", *words),
        is_terminal=False,
    )
    assert not ran.thrown, ran
    (told,) = json.loads(ran.out)["nodes"]
    seconds = time.monotonic() - begin
    print(json.dumps({**told, "status": ran.status, "seconds": round(seconds, 1)}))
    print("\n".join(line for line in desk.console.lines if "update" in line or "ready" in line))
    return told


def test_a_changed_module_goes_to_a_node_that_is_awake(keys: KeyFolder, tmp_path: Path) -> None:
    release, given = _release(keys, tmp_path / "new")
    with _desk(given) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = _update(desk, release)
        assert told["state"] == "done", desk.console.lines[-40:]
        desk.console.wait_for("0.9.0 has proven itself", 20)
        desk.wait(
            lambda: any(boot > 1 and seq > 1 for boot, seq in desk.account.delivered), 60, ""
        )
        taken = [one for one in desk.taken() if one < max(desk.account.delivered)]
        assert not set(taken) - desk.account.delivered.keys(), "a reading was lost"


@pytest.mark.long
def test_a_changed_module_goes_to_a_node_that_sleeps(keys: KeyFolder, tmp_path: Path) -> None:
    release, given = _release(keys, tmp_path / "new")
    rhythm = {"sample_s": 10, "deliver_every": 2, "health_s": 10}
    with _desk(given, mode="duty_cycle", **rhythm) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = _update(desk, release)
        assert told["state"] == "done", desk.console.lines[-40:]
        before = "\n".join(desk.console.lines).partition("update: fetching")[0]
        assert re.search("asleep for", before)


def test_one_that_does_not_start_comes_back_by_itself(keys: KeyFolder, tmp_path: Path) -> None:
    def breaks(tree: Path) -> None:
        app = tree / "firmware" / "app.py"
        app.write_text(app.read_text() + "\nraise RuntimeError('no part of it works')\n")

    release, given = _release(keys, tmp_path / "bad", breaks)
    with _desk(given) as desk:
        desk.wait(lambda: (1, 2) in desk.account.delivered, _READY_S, "readings")
        told = _update(desk, release)
        assert told["state"] == "back" and "start" in told["text"], desk.console.lines[-40:]
        count = len(desk.account.delivered)
        desk.wait(lambda: len(desk.account.delivered) > count + 2, 60, "readings of the old one")
