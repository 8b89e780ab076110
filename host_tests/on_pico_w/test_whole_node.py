"""The whole firmware on the genuine Pico W image: Wi-Fi, a real broker, outages, the watchdog.

The image runs in the emulator, on the emulator's access point; Mosquitto is on loopback.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from rigs.pico_w import Desk, board_files, configuration

pytestmark = [pytest.mark.board, pytest.mark.timeout(90)]

_WATCHDOG_S = 5


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One board for all of these: it hangs once, in its first boot, after five readings."""
    config = configuration(watchdog_s=_WATCHDOG_S, outbox={"durability": "reading"})
    with Desk(board_files(config, main="hanging_main.py")) as desk:
        yield desk


def test_boots_joins_and_delivers_a_first_reading_in_one_segment(desk: Desk) -> None:
    desk.wait(lambda: (1, 0) in desk.account.delivered, 40, "a reading at the broker")
    (connection,) = desk.board.stats()["connections"]
    assert connection["sent"]["repeated"] == 0
    assert "online" in desk.status
    started = next(line for line in desk.console.lines if "Fieldpost" in line)
    assert "RP2040 MicroPython" in started and "reset: power-on" in started
    # CONNECT, the status and the reading: answered after one round trip for TCP, one for MQTT.
    at = desk.console.wait_for("delivered 1 readings", 10)
    # (An answer that is there before anybody waits for it costs no round trip.)
    assert re.search(r"in [12] round trips, 1 segments", desk.console.lines[at - 1])


def test_a_hang_ends_in_a_watchdog_reset_and_loses_nothing(desk: Desk) -> None:
    at = desk.console.wait_for("hanging with", 30)
    in_the_middle = desk.taken()[-1]
    assert in_the_middle[0] == 1 and in_the_middle not in desk.account.delivered
    desk.console.wait_for("reset: watchdog", 30, at)
    desk.wait(lambda: (2, 2) in desk.account.delivered, 40, "readings of the second boot")
    assert in_the_middle in desk.account.delivered
    assert desk.board.stats()["resets"] == 1
    _nothing_lost_nothing_twice(desk)


def test_an_outage_of_the_broker_loses_nothing(desk: Desk) -> None:
    desk.wait(lambda: (2, 0) in desk.account.delivered, 60, "the second boot")
    before = len(desk.taken())
    desk.board.set_pace(real_time=True)
    desk.broker.stop()
    desk.wait(lambda: len(desk.taken()) >= before + 6, 20, "readings taken in the outage")
    in_outage = set(desk.taken()[before + 2 :])
    assert not in_outage & desk.account.delivered.keys()
    desk.broker.start()
    desk.wait(lambda: in_outage <= desk.account.delivered.keys(), 20, "the backlog")
    after = len(desk.taken())
    desk.wait(lambda: len(desk.taken()) > after, 10, "sampling goes on")
    _nothing_lost_nothing_twice(desk)


def _nothing_lost_nothing_twice(desk: Desk) -> None:
    account = desk.account
    taken = set(desk.taken()[:-1])
    desk.wait(lambda: taken <= account.delivered.keys(), 20, "all that was taken")
    seqs = sorted(account.delivered)
    by_boot = {boot: [seq for b, seq in seqs if b == boot] for boot, _ in seqs}
    assert all(found == list(range(len(found))) for found in by_boot.values()), by_boot
    assert account.out_of_order == 0
