"""A battery node on a genuine ESP32-C3 image. The emulated chip never wakes from a deep sleep: a
cut of power takes its place, so what is on flash is all that the next start finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.esp32_c3 import afresh, board_files, configuration, running

pytestmark = pytest.mark.timeout(240)


@afresh
def test_what_a_deep_sleep_leaves_on_flash_is_enough_for_the_next_start(genuine: Path) -> None:
    rhythm = {"mode": "duty_cycle", "sample_s": 10, "deliver_every": 5}
    config = configuration(**rhythm, outbox={"durability": "reading"})
    with running(genuine, board_files(config)) as desk:
        at = 0
        for boot in (1, 2):
            # The first reading goes at once, and says farewell before the sleep.
            desk.wait(lambda boot=boot: (boot, 0) in desk.account.delivered, 40, f"boot {boot}")
            at = desk.console.wait_for("asleep for", 30, at)
            assert desk.status[-1] == "asleep"
            desk.board.power()
        # With nobody to deliver to, the reading is on flash when it falls asleep.
        desk.broker.stop()
        at = desk.console.wait_for(", boot 3", 40, at)
        at = desk.console.wait_for("asleep for", 90, at)
        assert (3, 0) in desk.taken()
        desk.broker.start()
        desk.board.power()
        desk.wait(lambda: {(3, 0), (4, 0)} <= desk.account.delivered.keys(), 60, "both readings")
        assert desk.account.out_of_order == 0
