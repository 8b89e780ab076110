"""Servers of NATS that a fleet can be tried on: real ones, alone and as a cluster."""

from __future__ import annotations

import time

import pytest

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient, Refused
from fieldpost.errors import CommandError, MissingTool
from scale import nats
from scale.cluster import Cluster
from scale.nats import STREAM, NatsCluster
from scale.network import Loopback

_ANYBODY = Account("", "", (), ())
_HEARD_S = 20.0


def _cluster(nodes: int) -> NatsCluster:
    try:
        nats.program()
    except MissingTool:
        pytest.skip("nats-server is not installed")
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
