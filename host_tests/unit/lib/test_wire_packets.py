"""The wire for a program of its own on umqtt.simple: what it publishes leaves without a flush."""

import random

import pytest
from rigs.session import PORTS, TIMEOUT_MS, VERSIONS, Bench, PlainClient
from wire_packets import PacketWire


class ProgramsOwn(PlainClient):
    """As upstream's examples use it: nobody calls `flush`."""

    def __init__(self, bench: Bench, version: str) -> None:
        stack = bench.stack
        bench.wire = PacketWire(stack.socket, stack.select, bench.time)
        super().__init__(bench, version)

    def does(self, operation: str, *arguments: object, **options: object) -> int:
        """Do it, and return how many segments left by themselves."""
        before = self.bench.net.totals["segments"]
        self.bench.wire.arm(TIMEOUT_MS)
        getattr(self.mqtt, operation)(*arguments, **options)
        return self.bench.net.totals["segments"] - before


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("port", PORTS)
def test_a_button_is_told_of_when_it_is_pressed(port: str, version: str) -> None:
    """Upstream's pub_button: QoS 0 publishes in a loop that sleeps between them."""
    bench = Bench(port)
    client = ProgramsOwn(bench, version)
    client.does("connect")
    for press in range(21):
        assert client.does("publish", b"button", b"%d" % press) == 1
        bench.time.sleep_ms(200)
        assert len(client.broker.records) == press + 1
    assert client.broker.violations == []


@pytest.mark.parametrize("version", VERSIONS)
def test_packets_of_every_length_leave_whole_in_as_few_segments_as_they_fit(version: str) -> None:
    bench = Bench()
    client = ProgramsOwn(bench, version)
    client.does("connect")
    rng = random.Random(1)
    sizes = [0, 1, 118, 119, 120, 121, 126, 127, 128, 1390, 1391, 1392, 1393, 1394, 5000, 16384]
    sizes += [rng.randrange(20_000) for _ in range(30)]
    for size in sizes:
        qos = rng.randrange(2)
        sent = client.does("publish", b"a/b", b"." * size, bool(rng.randrange(2)), qos=qos)
        head = 1 + sum(size + 5 + 2 * qos >= limit for limit in (0, 1 << 7, 1 << 14))
        whole = head + 5 + 2 * qos + size
        assert sent == -(-whole // 1400), size
        bench.time.sleep_ms(100)
    assert [len(one.payload) for one in client.broker.records] == sizes
    assert client.broker.violations == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_that_broke_in_a_packet_leaves_nothing_to_the_next(version: str) -> None:
    bench = Bench()
    client = ProgramsOwn(bench, version)
    client.does("connect")
    bench.wire.write(b"\x30\x50half of it")
    client.does("connect")
    assert client.does("publish", b"button", b"1") == 1
    bench.time.sleep_ms(200)
    assert [one.payload for one in client.broker.records] == [b"1"]
