"""A cluster of RabbitMQ: what it promises to a node, and what it says that it does not promise."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from rigs.rabbitmq import need_rabbitmq

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient
from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import DEFAULT_QUEUE, ClusterAddress, parse
from fieldpost.collect.sources.amqp.source import AmqpSource
from fieldpost.errors import CommandError
from scale.network import Loopback
from scale.rabbitmq import RabbitCluster

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(240)]
_ANYBODY = Account("guest", "guest", (), ())
_TOPIC = "fieldpost/n/telemetry"


@pytest.fixture(scope="module")
def running() -> Iterator[RabbitCluster]:
    need_rabbitmq()
    three = RabbitCluster(Loopback())
    try:
        three.start()
        yield three
    finally:
        three.close()


@pytest.fixture
def cluster(running: RabbitCluster) -> RabbitCluster:
    """With its queue, as a collector has made it, and all of its nodes."""
    address = parse(running.source())
    assert isinstance(address, ClusterAddress)
    topics = Reader("fieldpost").topics()
    source = AmqpSource(address, "me", topics, DEFAULT_QUEUE, Intake(), lambda _text: None)
    source.open()
    source.close()
    return running


def client(cluster: RabbitCluster, index: int) -> ProbeClient:
    host, port = cluster.mqtt(index)
    one = ProbeClient(port, host=host)
    one.open(f"client-{time.monotonic_ns()}", _ANYBODY)
    return one


def others(cluster: RabbitCluster, index: int) -> list[int]:
    return [one for one in range(cluster.nodes) if one != index]


def test_a_reading_is_acknowledged_when_most_nodes_have_it_and_not_before(
    cluster: RabbitCluster,
) -> None:
    leader = cluster.leader()
    with client(cluster, leader) as node:
        node.send(packets.publish(_TOPIC, b"{}", 1))
        assert node.wait(lambda: len(node.of("PUBACK")) == 1, 10)
        before = cluster.waiting()
        one, other = others(cluster, leader)
        cluster.node(one).process.signal(signal.SIGSTOP)
        try:
            node.send(packets.publish(_TOPIC, b"{}", 2))
            assert node.wait(lambda: len(node.of("PUBACK")) == 2, 10), "one of three is silent"
            cluster.node(other).process.signal(signal.SIGSTOP)
            node.send(packets.publish(_TOPIC, b"{}", 3))
            assert not node.wait(lambda: len(node.of("PUBACK")) == 3, 3), "two of three are"
        finally:
            for index in one, other:
                cluster.node(index).process.signal(signal.SIGCONT)
        assert node.wait(lambda: len(node.of("PUBACK")) == 3, 20)
        assert cluster.waiting() == before + 2


def test_the_queue_has_another_leader_soon_and_all_that_was_acknowledged(
    cluster: RabbitCluster,
) -> None:
    first = cluster.leader()
    with client(cluster, first) as node:
        node.send(packets.publish(_TOPIC, b"{}", 1))
        assert node.wait(lambda: node.of("PUBACK"), 10)
    before = cluster.waiting()
    cluster.kill(first)
    begin = time.monotonic()
    while _leader(cluster) in (None, first):
        assert time.monotonic() - begin < 20
    assert cluster.waiting() == before
    cluster.start_node(first)
    assert cluster.waiting() == before


def _leader(cluster: RabbitCluster) -> int | None:
    try:
        return cluster.leader()
    except CommandError:
        return None


def test_a_retained_message_is_known_to_one_node_alone(cluster: RabbitCluster) -> None:
    assert any("retained" in one for one in cluster.told())
    topic = "fieldpost/n/status"
    with client(cluster, 0) as node:
        node.send(packets.publish(topic, b"here", 1, retain=True))
        assert node.wait(lambda: node.of("PUBACK"), 10)
    assert _heard(cluster, 0, topic) and not _heard(cluster, 1, topic)


def test_what_no_queue_is_bound_to_is_acknowledged_and_kept_nowhere(
    cluster: RabbitCluster,
) -> None:
    assert any("no queue is bound" in one for one in cluster.told())
    before = cluster.waiting()
    with client(cluster, 0) as node:
        node.send(packets.publish("other/n/telemetry", b"{}", 1))
        assert node.wait(lambda: node.of("PUBACK"), 10)
    assert cluster.waiting() == before


def test_commands_for_a_lasting_session_outlast_the_node_and_a_clean_one_waits_for_it(
    cluster: RabbitCluster,
) -> None:
    assert any("of a clean session" in one for one in cluster.told())
    ids = {"sleeper": False, "awake": True}
    for name, clean in ids.items():
        with _opened(cluster, 0, name, clean) as node:
            assert node.subscribe(f"fieldpost/{name}/cmd") == 1
            if clean:
                cluster.kill(0)
            else:
                node.disconnect()
    try:
        for index in others(cluster, 0):
            cluster.node(index).wait_until_it_takes_part(lambda: 2, 30)
        assert _eventually(lambda: _takes(cluster, 1, "fieldpost/sleeper/cmd"))
        with _opened(cluster, 2, "sleeper", clean=False) as sleeper:
            assert sleeper.wait(lambda: sleeper.of("PUBLISH"), 10)
        with _opened(cluster, 2, "awake", clean=True) as awake:
            assert awake.subscribe("fieldpost/awake/cmd") is None and awake.closed
    finally:
        cluster.start_node(0)


def test_three_that_were_all_down_come_back_with_what_they_had(cluster: RabbitCluster) -> None:
    with client(cluster, 0) as node:
        node.send(packets.publish(_TOPIC, b"{}", 1))
        assert node.wait(lambda: node.of("PUBACK"), 10)
    before = cluster.waiting()
    with ThreadPoolExecutor(cluster.nodes) as pool:
        list(pool.map(cluster.stop, range(cluster.nodes)))
        list(pool.map(cluster.start_node, range(cluster.nodes)))
    assert cluster.waiting() == before
    for index in range(cluster.nodes):
        assert _takes(cluster, index, _TOPIC)


def _takes(cluster: RabbitCluster, index: int, topic: str) -> bool:
    """Whether a message for it is acknowledged there."""
    with client(cluster, index) as person:
        person.send(packets.publish(topic, b"{}", 1))
        return person.wait(lambda: person.of("PUBACK"), 10)


def _eventually(reached: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if reached():
            return True
        time.sleep(0.2)
    return False


def _opened(cluster: RabbitCluster, index: int, name: str, clean: bool) -> ProbeClient:
    host, port = cluster.mqtt(index)
    one = ProbeClient(port, host=host)
    one.open(name, _ANYBODY, clean=clean)
    return one


def _heard(cluster: RabbitCluster, index: int, topic: str) -> bool:
    """Whether somebody who subscribes there is given what is retained."""
    with client(cluster, index) as reader:
        reader.subscribe(topic)
        return reader.wait(lambda: reader.of("PUBLISH"), 2)


def test_a_lone_node_takes_no_clients_until_it_sees_another(cluster: RabbitCluster) -> None:
    """The last test here: it leaves the cluster as it is then."""
    assert any("does not see most" in one for one in cluster.told())
    alone = 0
    for index in others(cluster, alone):
        cluster.kill(index)
    end = time.monotonic() + 30
    while cluster.node(alone).takes_part(1):
        assert time.monotonic() < end
        time.sleep(0.2)
