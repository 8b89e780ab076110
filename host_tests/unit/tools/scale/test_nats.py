"""Servers of NATS that a fleet can be tried on: real ones, alone and as a cluster."""

from __future__ import annotations

import time

import pytest
from rigs.nats_server import need_nats

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient, Refused
from fieldpost.errors import CommandError
from scale.cluster import Cluster
from scale.nats import STREAM, NatsCluster
from scale.network import Loopback

_ANYBODY = Account("", "", (), ())
_HEARD_S = 20.0


def _cluster(nodes: int) -> NatsCluster:
    need_nats()
    return NatsCluster(Loopback(), nodes)


def _is_acknowledged(cluster: Cluster, index: int, topic: str) -> bool:
    host, port = cluster.mqtt(index)
    with ProbeClient(port, host=host) as client:
        try:
            client.open(f"node-{index}", _ANYBODY)
        except Refused:  # Without a leader for its streams a server lets nobody in.
            return False
        client.send(packets.publish(topic, b"{}", 7))
        return client.wait(lambda: client.of("PUBACK"), 5)


def test_one_server_takes_readings_of_nodes_without_a_login() -> None:
    with _cluster(1) as one:
        assert one.leader() == 0
        assert one.source().startswith("nats://collector:")
        assert _is_acknowledged(one, 0, "fieldpost/greenhouse/telemetry")


def test_a_server_that_ends_is_told_with_its_last_words() -> None:
    cluster = _cluster(1)
    cluster.settings = "no_such_option: 3"
    with pytest.raises(CommandError, match=r"node 0 has ended: .*no_such_option"), cluster:
        pass


@pytest.mark.slow
def test_a_cluster_goes_on_when_the_node_that_leads_is_killed() -> None:
    with _cluster(3) as three:
        first = three.leader()
        three.kill(first)
        others = [index for index in range(3) if index != first]
        end = time.monotonic() + _HEARD_S
        while not all(_is_acknowledged(three, one, "fieldpost/a/telemetry") for one in others):
            assert time.monotonic() < end, [three.last_words(one) for one in others]
        assert three.leader() in others
        three.start_node(first)
        assert _is_acknowledged(three, first, "fieldpost/a/telemetry")
        held = three.ask(f"$JS.API.STREAM.INFO.{STREAM}")
        assert held["config"]["num_replicas"] == 3
        # Two that are away come back one after the other.
        for one in others:
            three.kill(one)
        for one in others:
            three.start_node(one)
            assert _is_acknowledged(three, one, "fieldpost/a/telemetry")


@pytest.mark.slow
def test_a_stream_of_ones_own_misses_what_comes_while_it_has_no_leader() -> None:
    """Why a collector reads from the server's own stream: its copy is what is acknowledged."""
    with _cluster(3) as three:
        made = {"name": "OWN", "subjects": ["fieldpost.*.telemetry"], "num_replicas": 3}
        assert "error" not in three.ask("$JS.API.STREAM.CREATE.OWN", made)
        leads = _led_by_another(three, "OWN")
        host, port = three.mqtt(three.leader())
        with ProbeClient(port, host=host) as client:
            client.open("node", _ANYBODY)
            sent = 0
            end = time.monotonic() + 3.0
            while time.monotonic() < end:
                sent += 1
                client.send(packets.publish("fieldpost/a/telemetry", b"{}", sent))
                assert client.wait(lambda count=sent: len(client.of("PUBACK")) == count)
                if sent == 50:
                    three.kill(leads)
                time.sleep(0.01)
        assert three.waiting() == sent
        three.start_node(leads)
        own = three.ask("$JS.API.STREAM.INFO.OWN")
        assert 50 <= own["state"]["messages"] < sent


def _led_by_another(cluster: NatsCluster, stream: str) -> int:
    """The node that leads it, when that does not lead the stream of MQTT as well."""
    end = time.monotonic() + _HEARD_S
    while time.monotonic() < end:
        leader = (cluster.ask(f"$JS.API.STREAM.INFO.{stream}").get("cluster") or {}).get("leader")
        if leader and int(leader[-1]) != cluster.leader():
            return int(leader[-1])
        if leader:
            cluster.ask(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}")
        time.sleep(0.5)
    raise AssertionError(f"{stream} and {STREAM} are led by one node")


def test_a_group_of_mqtt_is_granted_and_hears_nothing() -> None:
    """As `told` says it."""
    with _cluster(1) as one:
        host, port = one.mqtt(0)
        with ProbeClient(port, host=host) as member:
            member.open("member", Account("admin", one.word("admin"), (), ()))
            assert member.subscribe("$share/group/fieldpost/+/telemetry") == 1
            assert _is_acknowledged(one, 0, "fieldpost/a/telemetry")
            assert not member.wait(lambda: member.of("PUBLISH"), 1.0)


def test_a_message_without_an_acknowledgement_is_kept_nowhere() -> None:
    """As `told` says it."""
    with _cluster(1) as one:
        host, port = one.mqtt(0)
        topic = b"fieldpost/a/health"
        body = len(topic).to_bytes(2, "big") + topic + b"{}"
        with ProbeClient(port, host=host) as client:
            client.open("node", _ANYBODY)
            client.send(bytes([0x30, len(body)]) + body)
            # It is answered in order, so the one before is done with.
            client.send(packets.publish("fieldpost/a/status", b"{}", 1))
            assert client.wait(lambda: client.of("PUBACK"))
        assert one.waiting() == 1
