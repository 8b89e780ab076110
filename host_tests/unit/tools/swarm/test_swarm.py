"""A swarm's nodes are the firmware's: they lose nothing, and say on the wire what a node says."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.command_line import fieldpost
from rigs.late import Late
from rigs.port_node import PortNode, wait_until

from brokers.packets import Packet
from brokers.tap import Tap
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.swarm.arrivals import Arrivals
from fieldpost.swarm.memory import MemoryFiles
from fieldpost.swarm.swarm import NotReached, Report, Swarm, Wish, configuration


@pytest.fixture
def broker() -> Iterator[Broker]:
    # One that keeps the subscriber's session over its own restart.
    with Broker(subscriber=("fieldpost-swarm-arrivals", "fieldpost/+/telemetry")) as running:
        yield running


def wish(port: int, nodes: int, duration_s: float, **more: Any) -> Wish:
    given = {"sample_s": 1.0, "spread_s": 0.5, "drain_s": 30.0, **more}
    return Wish(BrokerAddress(HOST, port), nodes, duration_s=duration_s, **given)


def play(swarm: Swarm) -> Report:
    return asyncio.run(swarm.play())


def accepted(swarm: Swarm) -> dict[str, set[tuple[int, int]]]:
    return {node.name: node.accepted for node in swarm.nodes}


@pytest.mark.slow
def test_nothing_is_lost_while_the_broker_is_away(broker: Broker) -> None:
    swarm = Swarm(wish(broker.port, 20, 6.0, sleeping=0.5))

    def disturb() -> None:
        time.sleep(2)
        broker.stop()
        time.sleep(1)
        broker.start()

    with Arrivals(BrokerAddress(HOST, broker.port), "fieldpost", "swarm") as arrivals:
        threading.Thread(target=disturb, daemon=True).start()
        report = play(swarm)
        wait_until(lambda: not arrivals.compare(accepted(swarm), report.waiting).lost)
        came = arrivals.compare(accepted(swarm), report.waiting)
    assert report.waiting == came.lost == came.foreign == 0
    assert came.readings == report.accepted > 60
    assert report.reconnects >= 10 and "connection reset" in report.causes
    assert report.dials > 20 and report.dials_per_s >= report.dials / report.seconds


@pytest.mark.slow
def test_a_reading_that_does_not_come_is_missed(broker: Broker) -> None:
    with Arrivals(BrokerAddress(HOST, broker.port), "fieldpost", "swarm") as arrivals:
        swarm = Swarm(wish(broker.port, 3, 2.0))
        report = play(swarm)
        wait_until(lambda: not arrivals.compare(accepted(swarm), 0).lost)
        said = accepted(swarm)
        said["swarm-1"].add((1, 999))
        assert arrivals.compare(said, 0).lost == 1
        # It may have been acknowledged, and still be on its way to whoever counts.
        assert arrivals.compare(said, 1).lost == 0
        said["swarm-2"].clear()
        assert arrivals.compare(said, 0).foreign >= 2
    assert report.waiting == 0


@pytest.mark.slow
def test_the_same_seed_starts_its_nodes_at_the_same_moments(broker: Broker) -> None:
    def draw(seed: int) -> list[int]:
        swarm = Swarm(wish(broker.port, 4, 1.0, seed=seed, spread_s=0.1))
        play(swarm)
        return [node._dice.getrandbits(32) for node in swarm.nodes]  # what they would draw next

    assert draw(5) == draw(5) != draw(6)


def test_a_broker_that_is_not_there_is_an_error_in_words() -> None:
    with pytest.raises(NotReached, match="none of 2 nodes delivered a reading"):
        play(Swarm(wish(9, 2, 1.0)))


def test_a_configuration_that_a_node_would_refuse_is_refused(broker: Broker) -> None:
    with pytest.raises(CommandError, match="would refuse its configuration: node"):
        play(Swarm(wish(broker.port, 1, 1.0, prefix="no/name")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--broker mqtts://example.org", "plain MQTT"),
        ("--login nobody", "USER:PASSWORD"),
        ("--nodes 0", "greater than or equal to 1"),
    ],
)
def test_bad_input_says_what_to_do(words: str, said: str) -> None:
    ran = fieldpost("swarm", *words.split())
    assert ran.status != 0 and said in " ".join(ran.err.split())


def test_the_command_counts_and_its_status_says_whether_all_came(broker: Broker) -> None:
    ran = fieldpost(
        *("swarm", "--broker", f"mqtt://{HOST}:{broker.port}", "--nodes", "5"),
        *("--minutes", "0.04", "--every", "1", "--spread", "0.2", "--json"),
    )
    told = json.loads(ran.out)
    assert ran.status == 0 and told["nodes"] == 5 and told["waiting"] == 0
    assert told["came"]["readings"] == told["accepted"] >= 10 and told["came"]["lost"] == 0


def test_what_the_broker_hands_on_late_is_waited_for(broker: Broker) -> None:
    """All that was acknowledged comes seconds after the last acknowledgement."""
    with Late(broker.port, of=b"swarm-arrivals", late_s=3.0) as late:
        ran = fieldpost(
            *("swarm", "--broker", f"mqtt://{HOST}:{late.port}", "--nodes", "5"),
            *("--minutes", "0.04", "--every", "1", "--spread", "0.2", "--json"),
        )
    told = json.loads(ran.out)
    assert told["came"]["lost"] == 0 and ran.status == 0, told
    assert told["came"]["readings"] == told["accepted"] >= 10
    assert told["came"]["waited_s"] >= 1, told


def test_the_wait_for_what_comes_late_is_bounded_and_its_end_told(broker: Broker) -> None:
    address = BrokerAddress(HOST, broker.port)
    said = {"swarm-0": {(1, 0), (1, 1)}}
    telemetry = "fieldpost/swarm-0/telemetry", b'{"boot":1,"seq":0,"temperature":20}'
    with Arrivals(address, "fieldpost", "swarm") as arrivals:
        node = Connection(address, client_id="swarm-0")
        node.open()
        node.publish(*telemetry, qos=1, retain=False)
        node.close()
        silent = arrivals.settled(said, 0, limit_s=30, quiet_s=1.0)
        assert (silent.readings, silent.lost, silent.still_coming) == (1, 1, False)
        assert silent.waited_s < 5
        late = arrivals.settled(said, 0, limit_s=0.5, quiet_s=30)
        assert late.lost == 1 and late.still_coming and late.waited_s < 5
        # One that a node has not seen acknowledged is not waited for.
        assert arrivals.settled(said, 1, limit_s=30, quiet_s=30).waited_s < 5


@pytest.mark.slow
def test_what_is_lost_is_told_as_one_failure(broker: Broker) -> None:
    """The subscriber is told too late for any wait."""
    with Late(broker.port, of=b"swarm-arrivals", late_s=60.0) as late:
        ran = fieldpost(
            *("swarm", "--broker", f"mqtt://{HOST}:{late.port}", "--nodes", "2"),
            *("--minutes", "0.03", "--every", "1", "--spread", "0.2", "--drain", "0", "--json"),
        )
    told = json.loads(ran.out)
    assert ran.status == 1 and not told["ok"] and told["error"]["code"] == "account"
    assert told["came"]["lost"] == told["accepted"] - told["waiting"]


# -- the same bytes ------------------------------------------------------------------------------


def shape(packet: Packet) -> tuple[Any, ...]:
    """All that a packet says but the time, the values measured, and what a heap has left."""
    if packet.name != "PUBLISH":
        return packet.kind, packet.flags, packet.body
    payload: Any = re.sub(rb"(?<=[:,\[ ])-?\d+(\.\d+)?(?=[,}\]])", b"0", packet.payload)
    if packet.topic.endswith("/health"):
        # Values differ in what they are run by, too; which keys there are does not.
        payload = sorted(json.loads(packet.payload))
    return packet.kind, packet.flags, packet.topic, packet.packet_id, payload


def first_connection(tap: Tap) -> list[tuple[Any, ...]]:
    return [
        shape(one.packet)
        for one in tap.passed()
        if one.connection == 0 and one.way == "up" and one.packet
    ]


@pytest.mark.slow
@pytest.mark.parametrize("sleeping", [0.0, 1.0])
def test_its_bytes_are_those_of_a_node_in_micropython(
    broker: Broker, tmp_path: Path, sleeping: float
) -> None:
    packets = 5 if sleeping else 7
    with Tap(broker.port) as tap:
        made = wish(tap.port, 1, 3.5, sleeping=sleeping, spread_s=0.0)
        play(Swarm(made))
        of_swarm = first_connection(tap)[:packets]
    with Tap(broker.port) as tap:
        config, secrets = configuration(made, 0)
        config["mqtt"]["port"] = tap.port
        with PortNode(tmp_path / "node", config) as node:
            (node.folder / "secrets.json").write_text(json.dumps(secrets))
            wait_until(lambda: len(first_connection(tap)) >= packets)
        of_node = first_connection(tap)[:packets]
    assert len(of_node) == packets
    assert of_swarm == of_node


# -- its flash -----------------------------------------------------------------------------------


def test_files_in_memory_keep_what_flash_would() -> None:
    files = MemoryFiles()
    with files.open("a", "wb") as file:
        file.write(b"one")
        file.flush()
        reader = files.open("a", "rb")
        assert reader.read(2) == b"on"
        file.write(b" two")
    assert reader.read() == b"e two"
    with files.open("a", "ab") as file:
        file.write(b"!")
    files.rename("a", "b")
    assert files.open("b").read() == b"one two!"
    assert files.stat("b")[6] == 8 and files.listdir() == ["b"]
    files.mkdir("outbox")
    with files.open("outbox/1.seg", "wb") as file:
        file.write(b"x")
    assert files.listdir("outbox") == ["1.seg"] and files.listdir() == ["b", "outbox"]
    files.remove("outbox/1.seg")
    for missing in (files.open, files.remove, files.stat, files.listdir):
        with pytest.raises(OSError, match="gone") as error:
            missing("gone")
        assert error.value.errno == 2
    with pytest.raises(OSError, match="outbox"):
        files.mkdir("outbox")
