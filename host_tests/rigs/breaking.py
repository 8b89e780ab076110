"""What breaks, and what comes of it: connections at any byte, brokers killed, power cut.

The firmware's own wire, session, delivery and outbox in MicroPython's unix port; for the first two
through a proxy that breaks connections, to a real Mosquitto. The tests play a sample of it, and
`make reliability` all of it, for docs/reliability.md.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from rigs.port import SCRIPTS, micropython, port_environment, run_port

from fakes.mqtt_packets import read_length
from fieldpost.messages.account import Account
from fieldpost.mqtt import brokers
from fieldpost.mqtt.proxy import Fault, Proxy

READINGS = 3  # of one session; see port/chaos.py
TIMEOUT_MS = 150
BACKLOG = 500
HOWS = ("close", "reset", "stall")
_NAMES = {1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 8: "SUBSCRIBE", 9: "SUBACK"}
_NAMES |= {12: "PINGREQ", 13: "PINGRESP", 14: "DISCONNECT"}


class Witness:
    """A subscriber that keeps the account of all readings, by (boot, seq)."""

    def __init__(self, port: int, name: str = "") -> None:
        self.account = Account()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name or None, clean_session=not name
        )
        self._client.on_message = self._deliver
        self._client.on_connect = self._subscribe
        self._client.reconnect_delay_set(0.05, 0.05)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _deliver(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.account.deliver(json.loads(message.payload))

    def _subscribe(self, client: Client, *_: Any) -> None:
        # Each connection subscribes anew: a broker that was killed may have forgotten.
        client.subscribe("chaos/telemetry", 1)

    def wait_for(self, count: int, timeout_s: float = 10) -> None:
        end = time.monotonic() + timeout_s
        while len(self.account.delivered) < count and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


# Connections ------------------------------------------------------------------------------------


class Packet(NamedTuple):
    """One packet of the session that is broken: its bytes are `start` to `end - 1` of its way."""

    way: str
    name: str
    start: int
    end: int


class Broken(NamedTuple):
    """What came of one fault: its session's report (port/chaos.py), and its readings lost."""

    fault: Fault
    report: dict[str, Any]
    lost: int


class Connections(NamedTuple):
    """What came of many faults, one session for each."""

    faults: list[Broken]
    reports: list[dict[str, Any]]
    account: Account

    @property
    def lost(self) -> int:
        expected = {(1, seq) for seq in range(len(self.reports) * READINGS)}
        return len(expected - self.account.delivered.keys())

    @property
    def longest_wait_ms(self) -> int:
        return max(one["longest_wait_ms"] for one in self.reports)


def whole_session(port: int) -> list[Packet]:
    """The packets of a session that nothing breaks."""
    with Proxy(port, 0, keep=True) as proxy:
        run_port("chaos.py", str(proxy.port), "1")
        (clean,) = proxy.connections()
    return [*_packets("up", bytes(clean.up)), *_packets("down", bytes(clean.down))]


def _packets(way: str, data: bytes) -> list[Packet]:
    found = []
    at = 0
    while at < len(data):
        length = read_length(data, at + 1)
        assert length
        end = length[0] + length[1]
        found.append(Packet(way, _NAMES[data[at] >> 4], at, end))
        at = end
    return found


def every_fault(packets: Sequence[Packet]) -> list[Fault]:
    """One after each byte of either way, and before the first, in each of three ways."""
    totals = {packet.way: packet.end for packet in packets}
    return [
        Fault(way, byte, how)
        for way, total in totals.items()
        for byte in range(total + 1)
        for how in HOWS
    ]


def break_connections(port: int, faults: Sequence[Fault]) -> Connections:
    """Play a session for each fault, through a proxy that breaks its first connection."""
    # A fault at the very end breaks nothing any more: that session needs no second connection.
    sessions = len(faults) + len(faults) // 20 + 25

    def fault_of(number: int) -> Fault | None:
        """A broken connection, a whole one, and so on."""
        return faults[number // 2] if number % 2 == 0 and number // 2 < len(faults) else None

    witness = Witness(port)
    try:
        with Proxy(port, 0, fault_of=fault_of) as proxy:
            lines = run_port("chaos.py", str(proxy.port), str(sessions), timeout_s=900)
            connections = len(proxy.connections())
    finally:
        witness.close()
    reports = [json.loads(line) for line in lines.splitlines()]
    assert len(reports) == sessions
    assert connections == sum(one["attempts"] for one in reports) >= 2 * len(faults)
    return Connections(_by_fault(fault_of, reports, witness.account), reports, witness.account)


def _by_fault(fault_of: Any, reports: list[dict[str, Any]], account: Account) -> list[Broken]:
    found = []
    number = 0
    for report in reports:
        first = report["session"] * READINGS
        lost = sum((1, first + n) not in account.delivered for n in range(READINGS))
        for _ in range(report["attempts"]):
            fault = fault_of(number)
            number += 1
            if fault:
                found.append(Broken(fault, report, lost))
    return found


# The broker -------------------------------------------------------------------------------------


class Killed(NamedTuple):
    """Mosquitto killed with SIGKILL in the middle of a backlog, and started again."""

    persistence: bool
    before: int
    report: dict[str, Any]
    account: Account

    @property
    def lost(self) -> int:
        return len({(1, seq) for seq in range(BACKLOG)} - self.account.delivered.keys())


def kill_broker(persistence: bool, folder: Path) -> Killed:
    """Kill the broker while a node delivers a backlog. `folder`: the node's flash."""
    with (
        brokers.Broker("mosquitto", persistence=persistence) as broker,
        Proxy(broker.port, 20) as proxy,
    ):
        witness = Witness(broker.port, "witness" if persistence else "")
        node = subprocess.Popen(
            [micropython(), str(SCRIPTS / "backlog.py"), str(proxy.port), str(BACKLOG)],
            cwd=folder,
            env=port_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert node.stdout
            assert node.stdout.readline().strip() == "flying"
            broker.kill()
            before = len(witness.account.delivered)
            time.sleep(0.3)
            broker.start()
            report = json.loads(node.communicate(timeout=30)[0])
            witness.wait_for(BACKLOG)
        finally:
            node.kill()
            witness.close()
    return Killed(persistence, before, report, witness.account)


# Power ------------------------------------------------------------------------------------------


def cut_power() -> list[dict[str, Any]]:
    """A report for each way in which a cut leaves a block, and each thing that the outbox was
    doing then: see port/power_cuts.py."""
    lines = run_port("power_cuts.py", timeout_s=300).splitlines()
    # The port prints what its collector meets when it closes files of a flash that has gone.
    return [json.loads(line) for line in lines if line.startswith("{")]
