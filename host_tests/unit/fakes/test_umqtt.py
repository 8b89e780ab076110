"""Plain umqtt.simple, old and new, works on the fake network, faults included."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rigs.session import NEWEST, VERSIONS

from fakes.broker import Broker
from fakes.net import Conditions, Cut, FakeNet
from fakes.world import Hang, NodeTime, World


class Bench:
    def __init__(
        self, version: str, port: str = "esp32", seed: int = 1, **conditions: Any
    ) -> None:
        self.world = World()
        self.net = FakeNet(self.world, random.Random(seed))
        self.net.conditions = Conditions(**{"latency_ms": 25, **conditions})
        self.broker = Broker(self.world, random.Random(seed))
        self.broker.serve(self.net)
        self.stack = self.net.node("node", port)
        self.time = NodeTime(self.world)
        self.umqtt = load(VERSIONS[version])
        self.umqtt.socket = self.stack.socket
        self.messages: list[tuple[bytes, bytes]] = []

    def client(self, name: str = "node", keepalive_s: int = 60) -> Any:
        client = self.umqtt.MQTTClient(name, "broker", keepalive=keepalive_s)
        client.set_callback(lambda topic, message: self.messages.append((topic, message)))
        return client


def load(path: Path) -> ModuleType:
    if not path.exists():
        pytest.skip(f"{path.name} of this umqtt.simple has not been fetched")
    spec = importlib.util.spec_from_file_location(f"umqtt_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_newest_version_is_here() -> None:
    if not NEWEST.exists():
        pytest.skip("umqtt.simple 1.8.0 is not here: no test ran with it, some 220 would")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("port", ["unix", "esp32", "rp2"])
def test_a_whole_session_works_and_leaves_nothing_open(version: str, port: str) -> None:
    bench = Bench(version, port)
    client = bench.client()
    assert client.connect() == 0
    assert bench.world.now_ms == 150  # the name, TCP, MQTT: a round trip each
    client.subscribe(b"node/#", 1)
    client.publish(b"node/a", b"zero")
    client.publish(b"node/b", b"one", qos=1)
    client.publish(b"node/c", b"kept", retain=True, qos=1)
    client.ping()
    for _ in range(8):
        client.check_msg()
        bench.time.sleep_ms(30)
    client.disconnect()
    bench.time.sleep_ms(100)
    assert bench.messages == [(b"node/a", b"zero"), (b"node/b", b"one"), (b"node/c", b"kept")]
    assert [(one.topic, one.qos, one.retain) for one in bench.broker.records] == [
        ("node/a", 0, False),
        ("node/b", 1, False),
        ("node/c", 1, True),
    ]
    assert bench.broker.violations == []
    assert bench.broker.clients == {}
    assert bench.stack.open_sockets == []


def test_its_small_writes_and_waits_are_counted(version: str) -> None:
    bench = Bench(version)
    client = bench.client()
    client.connect()
    connection = bench.net.connections[-1]
    assert (connection.segments, connection.round_trips) == (4, 2)
    for _ in range(10):
        client.publish(b"node/a", b"x", qos=1)
    assert (connection.segments, connection.round_trips) == (4 + 10 * 5, 12)
    assert bench.world.now_ms == 150 + 10 * 50


def test_it_hangs_for_ever_where_its_users_say_that_it_does(version: str) -> None:
    bench = Bench(version, accept="mute")
    with pytest.raises(Hang):
        bench.client().connect()
    bench = Bench(version, down=Cut(4, "silence"))
    client = bench.client()
    client.connect()
    with pytest.raises((Hang, OSError)):
        client.publish(b"node/a", b"x", qos=1)
    assert bench.world.now_ms > 100_000


def test_it_leaks_its_socket_where_its_users_say_that_it_does(version: str) -> None:
    bench = Bench(version, accept="refuse")
    clients = []
    for _ in range(3):
        clients.append(bench.client())
        with pytest.raises(OSError):
            clients[-1].connect()
    assert len(bench.stack.open_sockets) == 3


def test_a_flow_of_bytes_in_pieces_is_the_same_flow(version: str) -> None:
    bench = Bench(version, split=0.8, jitter_ms=20)
    client = bench.client()
    client.connect()
    client.subscribe(b"node/+", 1)
    for index in range(100):
        client.publish(b"node/t", b"%d" % index, qos=1)
    while len(bench.messages) < 100:
        client.wait_msg()
    assert [message for _, message in bench.messages] == [b"%d" % n for n in range(100)]
    assert [one.payload for one in bench.broker.records] == [b"%d" % n for n in range(100)]
    assert bench.broker.violations == []


def faulty_run(version: str, seed: int) -> tuple[list, list, int]:
    """A client that reconnects as it can, through seeded trouble; its trace."""
    bench = Bench(version, seed=seed)
    rng = random.Random(seed)

    def trouble(*_about: Any) -> Conditions:
        way = rng.choice(["up", "down"])
        cut = Cut(rng.randrange(400), rng.choice(["reset", "close"]))
        return Conditions(latency_ms=25, jitter_ms=40, split=0.3, **{way: cut})

    bench.net.plan = trouble
    sent = 0
    client = bench.client(keepalive_s=20)
    for _ in range(60):
        try:
            client.connect()
            while True:
                client.publish(b"node/t", b"%d" % sent, qos=1)
                sent += 1
                bench.time.sleep_ms(rng.randrange(100))
        except (OSError, IndexError, AssertionError, TypeError):
            if client.sock:
                client.sock.close()
            bench.time.sleep_ms(1000)
    return list(bench.world.trace), list(bench.broker.records), sent


def test_one_seed_is_one_run_to_the_last_event(version: str) -> None:
    first = faulty_run(version, 5)
    assert first == faulty_run(version, 5)
    assert first[0] != faulty_run(version, 6)[0]
    _, records, sent = first
    assert sent > 100
    assert {int(one.payload) for one in records} >= set(range(sent))
