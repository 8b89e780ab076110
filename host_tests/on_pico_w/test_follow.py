"""The genuine Pico W image follows the files: what changed is sent, and the node restarts."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from rigs.pico_w import image

from fieldpost.deploy.deployment import Wish
from fieldpost.deploy.follow import Follower
from fieldpost.emulator.emulator import Emulator
from fieldpost.paths import ROOT

pytestmark = [pytest.mark.board, pytest.mark.timeout(240), pytest.mark.slow]

_FILES = {
    "config.json": json.dumps({"node": "tester", "mqtt": {"host": "10.0.0.1"}}).encode(),
    "secrets.json": json.dumps({"wifi": [{"ssid": "none", "password": ""}]}).encode(),
}
# Where other work slows the emulated board down, the second deployment is tried again.
_LIMIT_S = 75.0


def test_a_changed_module_is_sent_and_the_node_starts_with_it(tmp_path: Path) -> None:
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("firmware", "lib"):
        shutil.copytree(ROOT / name, tmp_path / name)
    told: list[str] = []

    def tells(text: str, since: int) -> int:
        """Where it was told."""
        end = time.monotonic() + _LIMIT_S
        while time.monotonic() < end:
            for at in range(since, len(told)):
                if text in told[at]:
                    return at
            time.sleep(0.1)
        raise AssertionError(f"not told: {text}; but {told[since:]}")

    with Emulator(image(), files=_FILES, real_time=True) as board:
        follower = Follower(board.console, Wish(tmp_path), told.append)
        thread = threading.Thread(target=follower.run, daemon=True)
        thread.start()
        try:
            at = tells("ready: tester, boot 1", 0)
            with (tmp_path / "lib" / "simulated.py").open("a") as file:
                file.write("\nANOTHER = 1\n")
            at = tells("changed: simulated.py", at)
            at = tells("1 files sent", at)
            assert "with 1 modules" in told[at]
            tells("ready: tester, boot 2", at)
        finally:
            follower.end.set()
            thread.join(20)
