"""A collector that reads from NATS: what it takes, what it gives back, and what it says.

The servers are real ones.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rigs.nats_server import configured, need_nats

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient
from fieldpost.collect.intake import Arrival, Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import ClusterAddress, parse
from fieldpost.collect.sources.nats.consumer import ACK_WAIT_S
from fieldpost.collect.sources.nats.source import HELD_MAX, NatsSource
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.paths import ROOT
from scale.nats import CONSUMER, STREAM, NatsCluster
from scale.network import Loopback

_LIMIT_S = 20.0
_SOON_S = 1
# The server makes a client wait that comes again and again under one id.
_NUMBERS = itertools.count()


def one_server(*, has_consumer: bool = True, ack_wait_s: float = ACK_WAIT_S) -> NatsCluster:
    need_nats()
    return NatsCluster(Loopback(), 1, has_consumer=has_consumer, ack_wait_s=ack_wait_s)


@pytest.fixture
def server() -> Iterator[NatsCluster]:
    """One whose consumer hands out again soon what was not acknowledged."""
    with one_server(ack_wait_s=_SOON_S) as started:
        yield started


class Collecting:
    """A source that runs, up to its intake."""

    def __init__(self, url: str, queue: str = CONSUMER, base: str = "fieldpost") -> None:
        address = parse(url)
        assert isinstance(address, ClusterAddress)
        self.intake = Intake()
        self.told: list[str] = []
        topics = Reader(base).topics()
        self.source = NatsSource(address, "me", topics, queue, self.intake, self.told.append)
        self._thread = threading.Thread(target=self.source.run, daemon=True)

    def start(self) -> None:
        self.source.open()
        self._thread.start()

    def take(self, count: int) -> list[Arrival]:
        """So many, or what came within the limit."""
        taken: list[Arrival] = []
        end = time.monotonic() + _LIMIT_S
        while len(taken) < count and time.monotonic() < end:
            taken += self.intake.take(count - len(taken), 0.1)
        return taken

    def acknowledge(self, arrivals: list[Arrival]) -> None:
        self.source.acknowledge([one.receipt for one in arrivals if one.receipt])

    def end(self) -> None:
        self.source.hold()
        self.source.stop()
        if self._thread.is_alive():
            self._thread.join(_LIMIT_S)
        self.source.close()

    def vanish(self) -> None:
        """As one does that is killed: it gives nothing back."""
        self.source.stop()
        self._thread.join(_LIMIT_S)
        link = self.source._link
        assert link
        self.source._loop.run_until_complete(link.close())


@contextmanager
def collecting(url: str) -> Iterator[Collecting]:
    one = Collecting(url)
    try:
        one.start()
        yield one
    finally:
        one.end()


@contextmanager
def node(server: NatsCluster) -> Iterator[ProbeClient]:
    host, port = server.mqtt(0)
    with ProbeClient(port, host=host) as client:
        client.open(f"node-{next(_NUMBERS)}", Account("", "", (), ()))
        yield client


def publish(server: NatsCluster, seqs: range, topic: str = "fieldpost/a/telemetry") -> None:
    """With QoS 1, and until all of it is acknowledged."""
    with node(server) as client:
        for seq in seqs:
            client.send(packets.publish(topic, b'{"boot":1,"seq":%d}' % seq, seq + 1))
        assert client.wait(lambda: len(client.of("PUBACK")) == len(seqs))


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + _LIMIT_S
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def payloads(arrivals: list[Arrival]) -> list[bytes]:
    return [one.message.payload for one in arrivals]


def expected(seqs: range) -> list[bytes]:
    return [b'{"boot":1,"seq":%d}' % seq for seq in seqs]


def test_readings_come_in_order_and_are_kept_until_they_are_acknowledged(
    server: NatsCluster,
) -> None:
    publish(server, range(50))
    with collecting(server.source()) as one:
        publish(server, range(50, 100))
        came = one.take(100)
        assert payloads(came) == expected(range(100))
        assert {one.message.topic for one in came} == {"fieldpost/a/telemetry"}
        assert server.waiting() == 100
        one.acknowledge(came)
        until(lambda: server.waiting() == 0)
    assert server.ask(f"$JS.API.STREAM.INFO.{STREAM}")["state"]["messages"] == 0


def test_a_state_comes_once_and_a_health_report_although_no_stream_keeps_it(
    server: NatsCluster,
) -> None:
    with collecting(server.source()) as one, node(server) as client:
        client.send(packets.publish("fieldpost/a.b/status", b'{"state":"online"}', 1, retain=True))
        topic = b"fieldpost/a.b/health"
        body = len(topic).to_bytes(2, "big") + topic + b'{"up":1}'
        client.send(bytes([0x30, len(body)]) + body)
        came = one.take(2)
        assert sorted(one.message.topic for one in came) == [
            "fieldpost/a.b/health",
            "fieldpost/a.b/status",
        ]
        assert [one.receipt is None for one in came if "health" in one.message.topic] == [True]
        assert not one.intake.take(1, 0.3)


def test_what_waits_for_the_store_is_not_handed_out_again(server: NatsCluster) -> None:
    publish(server, range(10))
    with collecting(server.source()) as waits:
        assert len(waits.take(10)) == 10
        with collecting(server.source()) as other:
            assert not other.intake.take(1, 3 * _SOON_S)
        told = server.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")
        assert told["num_redelivered"] == 0


def test_no_more_is_asked_for_than_may_be_held(server: NatsCluster) -> None:
    publish(server, range(HELD_MAX + 500))
    with collecting(server.source()) as one:
        assert len(one.take(HELD_MAX)) == HELD_MAX
        assert not one.intake.take(1, 0.5)


def test_what_a_dead_collector_had_comes_to_another(server: NatsCluster) -> None:
    dead = Collecting(server.source())
    dead.start()
    publish(server, range(20))
    assert len(dead.take(20)) == 20
    dead.vanish()
    with collecting(server.source()) as alive:
        assert sorted(payloads(alive.take(20))) == sorted(expected(range(20)))


def test_one_that_ends_gives_back_at_once_what_it_has_not_stored() -> None:
    with one_server() as server:  # It waits for one that is dead.
        with collecting(server.source()) as first:
            publish(server, range(20))
            came = first.take(20)
            first.acknowledge(came[:5])
        with collecting(server.source()) as second:
            begin = time.monotonic()
            assert sorted(payloads(second.take(15))) == sorted(expected(range(5, 20)))
            assert time.monotonic() - begin < 10


def test_two_collectors_share_what_comes(server: NatsCluster) -> None:
    with collecting(server.source()) as one, collecting(server.source()) as two:
        for begin in range(0, 200, 20):
            publish(server, range(begin, begin + 20))
        until(lambda: len(one.intake) + len(two.intake) == 200)
        shares = [one.take(len(one.intake)), two.take(len(two.intake))]
        assert sorted(payloads(shares[0] + shares[1])) == sorted(expected(range(200)))


def test_a_server_that_is_killed_is_dialled_again_and_nothing_is_lost(
    server: NatsCluster,
) -> None:
    with collecting(server.source()) as one:
        publish(server, range(30))
        came = one.take(30)
        server.kill(0)
        until(lambda: not one.source.is_connected)
        one.acknowledge(came[:10])
        server.start_node(0)
        until(lambda: one.source.is_connected)
        publish(server, range(30, 40))
        until(lambda: server.waiting() == 30)
        seen = {*payloads(came)}
        while len(seen) < 40:
            more = one.take(1)
            assert more
            seen |= {*payloads(more)}
            one.acknowledge(more)
        one.acknowledge(came)
        until(lambda: server.waiting() == 0)
        assert any("connection lost" in told for told in one.told)


def test_a_consumer_that_was_removed_is_made_again_and_told(server: NatsCluster) -> None:
    with collecting(server.source()) as one:
        publish(server, range(1))
        one.acknowledge(one.take(1))
        until(lambda: server.waiting() == 0)
        assert server.ask(f"$JS.API.CONSUMER.DELETE.{STREAM}.{CONSUMER}")["success"]
        until(lambda: any("was made" in told for told in one.told))
        publish(server, range(1, 2))
        assert payloads(one.take(1)) == expected(range(1, 2))


def failure(one: Collecting) -> CommandError:
    with pytest.raises(CommandError) as raised:
        one.source.open()
    one.source.close()
    return raised.value


def test_a_wrong_password_is_told_without_it(server: NatsCluster) -> None:
    url = server.source().replace("collector:", "collector:wrong")
    found = failure(Collecting(url))
    assert found.code == "broker_refused"
    assert "wrong password, or no user collector" in str(found)
    assert "wrong" not in str(found).replace("wrong password", "")


def test_every_host_at_which_nothing_listens_is_named() -> None:
    found = failure(Collecting("nats://127.0.0.1:1,127.0.0.1:2"))
    assert found.code == "broker_away"
    assert "nats://127.0.0.1:1:" in str(found)
    assert "nats://127.0.0.1:2:" in str(found)


def test_what_is_no_nats_is_not_taken_for_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as one:
                one.sendall(b"220 mail.example ESMTP\r\n" * 3)
                one.recv(1000)

        threading.Thread(target=answer, daemon=True).start()
        found = failure(Collecting(f"nats://127.0.0.1:{other.getsockname()[1]}"))
    assert "does not answer as NATS does" in str(found)


def test_whoever_may_not_make_the_consumer_is_told_the_command() -> None:
    with one_server(has_consumer=False) as server:
        found = failure(Collecting(server.source(), queue="readings"))
    assert found.code == "broker_denied"
    assert "does not let this account publish" in str(found)


def test_a_consumer_of_other_topics_is_not_taken(server: NatsCluster) -> None:
    found = failure(Collecting(server.source(), base="farm"))
    assert "it does not take $MQTT.msgs.farm.*.telemetry: give another --queue" in str(found)
    assert "nats consumer add '$MQTT_msgs' fieldpost" in str(found)


def test_a_consumer_that_would_lose_readings_is_told(server: NatsCluster) -> None:
    told = server.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")
    config = {**told["config"], "max_deliver": 3}
    body = {"stream_name": STREAM, "config": config, "action": "update"}
    changed = server.ask(f"$JS.API.CONSUMER.CREATE.{STREAM}.{CONSUMER}", body)
    assert "error" not in changed
    with collecting(server.source()) as one:
        assert any("hands a message out 3 times at most" in sentence for sentence in one.told)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("$JS.ACK.", "publish to $JS.ACK.$MQTT_msgs.fieldpost.>"),
        ("MSG.NEXT", "publish to $JS.API.CONSUMER.MSG.NEXT.$MQTT_msgs.fieldpost"),
    ],
)
def test_an_account_that_lacks_a_right_is_told_which(
    tmp_path: Path, missing: str, told: str
) -> None:
    own = f"{STREAM}.{CONSUMER}"
    rights = [f"$JS.API.CONSUMER.{verb}.{own}" for verb in ("INFO", "CREATE", "MSG.NEXT")]
    allowed = json.dumps([one for one in (*rights, f"$JS.ACK.{own}.>") if missing not in one])
    mqtt = free_port()
    users = (
        f"server_name: one\nmqtt {{ listen: {HOST}:{mqtt} }}\nauthorization {{ users = [\n"
        '  { user: node, password: "nodes-word" }\n'
        '  { user: collector, password: "collectors-word",\n'
        f"    permissions: {{ publish: {{ allow: {allowed} }} }} }}\n] }}"
    )
    with configured(tmp_path, users) as port, ProbeClient(mqtt) as client:
        client.open("node", Account("node", "nodes-word", (), ()))
        with collecting(f"nats://collector:collectors-word@{HOST}:{port}") as one:
            client.send(packets.publish("fieldpost/a/telemetry", b'{"boot":1,"seq":0}', 1))
            if missing == "$JS.ACK.":
                one.acknowledge(one.take(1))
            until(lambda: any(told in sentence for sentence in one.told))


def test_the_rights_of_the_page_are_enough(server: NatsCluster) -> None:
    """Those that docs/collect.md gives a collector are those of the one that is tried here."""
    page = (ROOT / "docs" / "collect.md").read_text("utf-8")
    shown = page.partition("user: collector, password")[2].partition("] } } }")[0]
    given = server.configuration(0).partition("user: collector, password")[2]
    subjects = re.compile(r'"([^"]+\.[^"]+)"')
    assert subjects.findall(shown) == subjects.findall(given.partition("] } } }")[0])
