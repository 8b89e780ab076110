"""The whole firmware on a genuine ESP32-C3 image: Wi-Fi, a real broker, outages, cuts of power."""

from __future__ import annotations

import itertools
import random
import re
import time
from pathlib import Path

import pytest
from rigs.esp32_c3 import WATCHDOGS, afresh, board_files, configuration, running

pytestmark = pytest.mark.timeout(240)

_CUTS = 4
_SEED = 13


@afresh
def test_boots_joins_and_delivers_a_first_reading_in_two_round_trips(genuine: Path) -> None:
    with running(genuine, board_files(configuration(sample_s=10))) as desk:
        desk.wait(lambda: (1, 0) in desk.account.delivered, 40, "a reading at the broker")
        started = next(line for line in desk.console.lines if "Fieldpost" in line)
        assert "on ESP32C3 MicroPython" in started and "reset: power-on" in started
        at = desk.console.wait_for("delivered 1 readings", 10)
        # (An answer that is there before anybody waits for it costs no round trip.)
        assert re.search(r"in [12] round trips, 1 segments", desk.console.lines[at - 1])
        (connection,) = desk.board.stats()["connections"]
        assert connection["sent"]["repeated"] == 0
        desk.wait(lambda: bool(desk.health), 10, "a health report")
        print(f"free heap {desk.health['free']} bytes")
        assert "online" in desk.status


@afresh
def test_an_outage_of_the_broker_loses_nothing_and_flash_holds_the_backlog(genuine: Path) -> None:
    with running(genuine, board_files(configuration())) as desk:
        desk.wait(lambda: (1, 1) in desk.account.delivered, 40, "readings")
        before = len(desk.taken())
        desk.broker.stop()
        desk.wait(lambda: len(desk.taken()) >= before + 6, 30, "readings taken in the outage")
        in_outage = set(desk.taken()[before + 2 :])
        assert not in_outage & desk.account.delivered.keys()
        assert any(path.startswith("/outbox/") for path in desk.board.read_files())
        desk.broker.start()
        desk.wait(lambda: in_outage <= desk.account.delivered.keys(), 30, "the backlog")
        after = len(desk.taken())
        desk.wait(lambda: len(desk.taken()) > after, 10, "sampling goes on")
        desk.wait(lambda: set(desk.taken()[:after]) <= desk.account.delivered.keys(), 10, "all")
        assert desk.account.out_of_order == 0


@afresh
def test_power_cut_in_the_midst_of_writing_costs_no_reading_and_no_boot_number(
    genuine: Path,
) -> None:
    moments = random.Random(_SEED)
    print("seed", _SEED)
    config = configuration(outbox={"durability": "reading"})
    with running(genuine, board_files(config)) as desk:
        desk.broker.stop()  # so that each reading is written to flash
        for boot in range(1, _CUTS + 1):
            desk.console.wait_for(f", boot {boot}", 30)
            desk.wait(lambda boot=boot: (boot, 1) in desk.taken(), 20, f"readings of boot {boot}")
            time.sleep(moments.uniform(0, 2))
            desk.board.power()
        desk.console.wait_for(f", boot {_CUTS + 1}", 30)
        taken = set(desk.taken())
        desk.broker.start()
        desk.wait(lambda: taken <= desk.account.delivered.keys(), 40, "all that was taken")
        said = "\n".join(desk.console.lines)
    assert "reformat" not in said and "Traceback" not in said
    # One that was written, but whose line was cut short, may come besides.
    boots = [boot for boot, _ in itertools.chain(taken, desk.account.delivered)]
    assert set(boots) == set(range(1, _CUTS + 2))
    assert desk.account.out_of_order == 0


@afresh
def test_a_hang_ends_in_a_watchdog_reset_and_loses_nothing(genuine: Path) -> None:
    config = configuration(watchdog_s=5, outbox={"durability": "reading"})
    files = board_files(config, main="hanging_main.py")
    with running(genuine, files, settings=WATCHDOGS) as desk:
        at = desk.console.wait_for("hanging with", 40)
        in_the_middle = desk.taken()[-1]
        assert in_the_middle[0] == 1 and in_the_middle not in desk.account.delivered
        desk.console.wait_for("reset: watchdog", 30, at)
        desk.wait(lambda: in_the_middle in desk.account.delivered, 40, "what was in the middle")
        desk.wait(lambda: (2, 1) in desk.account.delivered, 40, "readings of the second boot")
