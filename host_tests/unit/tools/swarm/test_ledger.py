"""The ledger of a swarm has every reading once, and says of which ones the broker has told."""

from __future__ import annotations

import asyncio
import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fieldpost.errors import NotWritten
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.swarm.ledger import HEAD, Ledger
from fieldpost.swarm.swarm import Swarm, Wish

_WAIT_S = 40.0


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_reading_has_one_line_with_both_of_its_moments(tmp_path: Path) -> None:
    clock = iter((10.0, 11.0, 12.5, 13.0))
    ledger = Ledger(tmp_path / "ledger", lambda: next(clock))
    assert (tmp_path / "ledger").read_text() == ",".join(HEAD) + "\n"
    ledger.accepted("a", 1, 0)
    ledger.accepted("a", 1, 1)
    for _ in range(2):  # the second time, after a crash, tells nothing new
        ledger.acknowledged("a", 1, 0)
    ledger.close()
    first, second = lines(tmp_path / "ledger")
    assert first == dict(zip(HEAD, ("a", "1", "0", "10.000", "12.500"), strict=True))
    assert second == dict(zip(HEAD, ("a", "1", "1", "11.000", ""), strict=True))


def test_where_it_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="No such file"):
        Ledger(tmp_path / "none" / "ledger")


@pytest.mark.slow
def test_what_a_restart_of_the_broker_holds_up_is_in_it_once(
    broker: Broker, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    address = BrokerAddress(HOST, broker.port)
    wish = Wish(address, 10, sample_s=1.0, duration_s=5.0, spread_s=0.5, sleeping=0.5)
    swarm = Swarm(wish, ledger=ledger)

    async def disturbed() -> None:
        played = asyncio.create_task(swarm.play())
        await asyncio.sleep(2)
        broker.stop()
        await asyncio.sleep(1)
        broker.start()
        report = await played
        assert report.waiting == 0

    asyncio.run(disturbed())
    ledger.close()
    told = lines(tmp_path / "ledger")
    accepted = {(node.name, *key) for node in swarm.nodes for key in node.accepted}
    assert {(one["node"], int(one["boot"]), int(one["seq"])) for one in told} == accepted
    assert len(told) == len(accepted) > 20
    under_way = sum(node.waiting for node in swarm.nodes)
    assert sum(not one["acknowledged"] for one in told) <= under_way + 10  # a tick of the loop
    late_s = [float(one["acknowledged"]) - float(one["accepted"]) for one in told[:-20]]
    assert min(late_s) >= 0 and max(late_s) >= 1.0


@pytest.mark.slow
def test_sigterm_ends_a_swarm_in_order(broker: Broker, tmp_path: Path) -> None:
    swarm = subprocess.Popen(
        [
            *(sys.executable, "-m", "fieldpost", "swarm", "--nodes", "3", "--every", "1"),
            *("--spread", "0.1", "--no-watch", "--broker", f"mqtt://{HOST}:{broker.port}"),
            *("--ledger", str(tmp_path / "ledger")),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while not (tmp_path / "ledger").exists():
            time.sleep(0.1)
        time.sleep(4)
        swarm.send_signal(signal.SIGTERM)
        out, _ = swarm.communicate(timeout=_WAIT_S)
    finally:
        swarm.kill()
    assert swarm.returncode == 0 and "0 still waiting" in out
    assert len(lines(tmp_path / "ledger")) >= 6
