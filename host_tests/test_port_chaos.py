"""Connections that break at every byte, and brokers that are killed: all of it is delivered.

The firmware's own wire, session, delivery and outbox in MicroPython, through a proxy that breaks
connections, to a real Mosquitto. By default a seeded sample of the bytes; every byte with
FIELDPOST_CHAOS=all, as `make soak` runs it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fieldpost import brokers
from fieldpost.account import Account
from fieldpost.proxy import Fault, Proxy
from micropython_port import SCRIPTS, micropython, port_environment, run_port

READINGS = 3
TIMEOUT_MS = 150
# What a wait may exceed its deadline by: the 20 ms of the script's own rest, and this machine.
SLACK_MS = 250
SAMPLED = 60
HOWS = ("close", "reset", "stall")


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[brokers.Broker]:
    if brokers.find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with brokers.Broker("mosquitto") as broker:
        yield broker


class Witness:
    """A subscriber that keeps the account of all readings, by (boot, seq)."""

    def __init__(self, port: int, name: str = "") -> None:
        self.account = Account()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name or None, clean_session=not name
        )
        self._client.on_message = lambda _client, _data, message: self.account.deliver(
            json.loads(message.payload)
        )
        # Each connection subscribes anew: a broker that was killed may have forgotten.
        self._client.on_connect = lambda client, *_: client.subscribe("chaos/telemetry", 1)
        self._client.reconnect_delay_set(0.05, 0.05)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def wait_for(self, count: int, timeout_s: float = 10) -> None:
        end = time.monotonic() + timeout_s
        while len(self.account.delivered) < count and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


def every_fault(up_bytes: int, down_bytes: int) -> list[Fault]:
    return [
        Fault(way, byte, how)
        for way, total in (("up", up_bytes), ("down", down_bytes))
        for byte in range(total + 1)
        for how in HOWS
    ]


def test_a_connection_that_breaks_at_any_byte_loses_nothing_and_holds_nothing_up(
    mosquitto: brokers.Broker,
) -> None:
    with Proxy(mosquitto.port, 0) as proxy:
        run_port("chaos.py", str(proxy.port), "1")
        (clean,) = proxy.connections()
    faults = every_fault(clean.sent_bytes, clean.received_bytes)
    assert len(faults) > 3 * 250
    if os.environ.get("FIELDPOST_CHAOS") != "all":
        faults = random.Random(20).sample(faults, SAMPLED)
    # A fault at the very end breaks nothing any more: that session needs no second connection.
    sessions = len(faults) + len(faults) // 20 + 25

    def fault_of(number: int) -> Fault | None:
        """A broken connection, a whole one, and so on."""
        return faults[number // 2] if number % 2 == 0 and number // 2 < len(faults) else None

    witness = Witness(mosquitto.port)
    try:
        with Proxy(mosquitto.port, 0, fault_of=fault_of) as proxy:
            lines = run_port("chaos.py", str(proxy.port), str(sessions), timeout_s=900)
            connections = proxy.connections()
    finally:
        witness.close()
    reports = [json.loads(line) for line in lines.splitlines()]
    assert len(reports) == sessions
    assert [one for one in reports if one["left"]] == []
    assert len(connections) >= 2 * len(faults), "not every fault had its connection"
    # At least once on the wire, exactly once by the key, in order.
    account = witness.account
    assert set(account.delivered) == {(1, seq) for seq in range(sessions * READINGS)}
    assert account.out_of_order == 0
    longest_ms = max(one["longest_wait_ms"] for one in reports)
    assert longest_ms <= TIMEOUT_MS + SLACK_MS
    # The faults were real: most of the broken connections cost a second attempt.
    again = sum(one["attempts"] > 1 for one in reports)
    assert again > len(faults) * 0.8
    errors = Counter(error for one in reports for error in one["errors"])
    print(f"{len(faults)} faults, {again} sessions tried again, errors {dict(errors)},")
    print(f"longest wait {longest_ms} ms of {TIMEOUT_MS}, repeats {account.repeats}")


@pytest.mark.parametrize("persistence", [True, False], ids=["persistent", "forgetful"])
def test_a_broker_killed_in_the_middle_of_a_backlog_gets_the_rest_after_its_restart(
    persistence: bool, tmp_path: Path
) -> None:
    if brokers.find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with (
        brokers.Broker("mosquitto", persistence=persistence) as broker,
        Proxy(broker.port, 20) as proxy,
    ):
        witness = Witness(broker.port, "witness" if persistence else "")
        node = subprocess.Popen(
            [micropython(), str(SCRIPTS / "backlog.py"), str(proxy.port), "500"],
            cwd=tmp_path,
            env=port_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert node.stdout
            assert node.stdout.readline().strip() == "flying"
            broker.kill()
            delivered_before = len(witness.account.delivered)
            time.sleep(0.3)
            broker.start()
            report = json.loads(node.communicate(timeout=30)[0])
            witness.wait_for(500)
        finally:
            node.kill()
            witness.close()
    assert 0 < delivered_before < 500
    assert report["left"] == 0 and report["attempts"] > 1
    assert set(witness.account.delivered) == {(1, seq) for seq in range(500)}
    assert witness.account.out_of_order == 0
