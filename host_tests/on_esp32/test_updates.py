"""A changed module goes out to a genuine ESP32-C3 image over Mosquitto, and proves itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.esp32_c3 import NODE, afresh, board_files, configuration, running
from rigs.flash_board import Computer, Release, built

from fakes.releases import keys_file

pytestmark = pytest.mark.timeout(240)


@afresh
def test_a_changed_module_is_fetched_tried_and_stays(genuine: Path, tmp_path: Path) -> None:
    good = built(tmp_path, "esp32", safe_mode=("safe mode: %d", "in safe mode: %d"))
    keys = keys_file(counter=10)
    release = Release(good.files["firmware.pack"], platform="esp32")
    with (
        running(genuine, board_files(configuration()) | {"update.keys": keys}) as desk,
        Computer(desk.broker.port, NODE) as computer,
    ):
        computer.told("idle", limit_s=60)
        computer.offer(release)
        done = computer.told("done", limit_s=120)
        assert done["installed"]["sha"] == release.sha[:16]
        assert done["chip"] == "esp32c3" and done["platform"] == "esp32"
        desk.console.wait_for("has proven itself", 20)
        assert desk.account.out_of_order == 0
    said = [line for line in desk.console.lines if "update" in line or "reset:" in line]
    print("\n".join(said), f"\n{computer.sent_bytes} bytes of {len(release.data)}")
