"""The wire under umqtt.simple: segments, exact reads, deadlines, descriptors, on three ports."""

import itertools
import random
from typing import Any

import pytest
from session_bench import PORTS, TIMEOUT_MS, VERSIONS, Bench, Peer, fails_with, load_umqtt, number

from fakes.broker import Broker
from fakes.net import Connection, Cut, NameFault

EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT = 32, 104, 107, 110
SEGMENT_BYTES = 1400


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


class Client:
    """umqtt.simple as upstream made it, on the wire of a bench with a broker."""

    def __init__(self, bench: Bench, version: str, name: str | bytes = "plain") -> None:
        self.bench = bench
        self.broker = Broker(bench.world, random.Random(1))
        self.broker.serve(bench.net)
        self.messages: list[tuple[bytes, bytes]] = []
        module = load_umqtt(version)
        module.socket = bench.wire
        self.mqtt: Any = module.MQTTClient(name, "broker", keepalive=60)
        self.mqtt.set_callback(lambda *message: self.messages.append(message))

    def sends(self, operation: str, *arguments: Any, **options: Any) -> int:
        """Do it, and return how many segments left for it."""
        before = self.bench.net.totals["segments"]
        self.bench.wire.arm(TIMEOUT_MS)
        getattr(self.mqtt, operation)(*arguments, **options)
        if self.bench.wire.is_open():
            self.bench.wire.flush()
        return self.bench.net.totals["segments"] - before


# Segments --------------------------------------------------------------------------------------


def test_each_packet_of_umqtt_simple_leaves_as_one_segment(version: str, port: str) -> None:
    bench = Bench(port)
    client = Client(bench, version)
    assert client.sends("connect") == 1
    assert client.sends("publish", b"plain/a", b"zero") == 1
    assert client.sends("publish", b"plain/b", b"one", qos=1) == 1
    assert client.sends("publish", b"plain/c", b"." * 1300, True, qos=1) == 1
    assert client.sends("subscribe", b"plain/d") == 1
    assert client.sends("ping") == 1
    assert client.sends("disconnect") == 1
    bench.time.sleep_ms(1000)
    assert [one.topic for one in client.broker.records] == ["plain/a", "plain/b", "plain/c"]
    assert client.broker.violations == []
    assert client.broker.clients == {}
    assert bench.stack.open_sockets == []


def test_its_own_counters_are_what_crossed_the_network(version: str, port: str) -> None:
    bench = Bench(port)
    client = Client(bench, version)
    client.sends("connect")
    client.sends("subscribe", b"plain/#")
    for index in range(20):
        client.sends("publish", b"plain/a", b"%d" % index, qos=1)
    wire, connection = bench.wire, bench.connection
    assert (wire.segments, wire.round_trips) == (22, 23)
    assert (wire.segments, wire.round_trips) == (connection.segments, connection.round_trips)
    assert wire.sent_bytes == connection.bytes_up
    bench.time.sleep_ms(1000)
    wire.available()
    while wire.available():
        wire.read(1)
    assert wire.received_bytes == connection.bytes_down


def test_text_is_sent_as_its_utf_8_bytes() -> None:
    """umqtt.simple hands on what its user gave: upstream's socket takes text, too."""
    bench = Bench()
    client = Client(bench, "lib", "plain")
    client.sends("connect")
    client.sends("publish", "plain/a", "text", qos=1)
    assert [one.payload for one in client.broker.records] == [b"text"]
    peer = Peer(bench.net)
    bench.open_wire()
    bench.wire.write("grün")
    bench.wire.flush()
    bench.time.sleep_ms(100)
    assert peer.data == "grün".encode()


@pytest.mark.parametrize("partial", [0.0, 0.7])
def test_a_burst_leaves_whole_in_as_few_segments_as_its_bytes_need(
    port: str, partial: float
) -> None:
    bench = Bench(port, partial=partial)
    peer = Peer(bench.net)
    bench.open_wire()
    rng = random.Random(3)
    sent = b""
    for _ in range(120):
        piece = rng.randbytes(rng.randrange(600))
        if rng.random() < 0.05:
            piece = rng.randbytes(rng.randrange(5000))
        sent += piece
        cut = rng.randrange(len(piece) + 1)
        bench.wire.write(piece, cut)
        bench.wire.write(memoryview(piece)[cut:])
    bench.wire.flush()
    bench.time.sleep_ms(1000)
    assert peer.data == sent
    assert bench.wire.sent_bytes == len(sent)
    if not partial:
        assert bench.wire.segments == bench.connection.segments
        if len(sent) < bench.stack.port.send_buffer:
            assert bench.wire.segments == -(-len(sent) // SEGMENT_BYTES)


# Reading ---------------------------------------------------------------------------------------


def test_reads_are_exact_however_the_bytes_arrive(version: str, port: str) -> None:
    bench = Bench(port, split=0.8, jitter_ms=20)
    client = Client(bench, version)
    client.sends("connect")
    client.sends("subscribe", b"plain/#", 1)
    payloads = [b"%d" % n + b"." * (n * 7 % 900) for n in range(100)]
    for payload in payloads:
        client.sends("publish", b"plain/t", payload, qos=1)
    bench.wire.arm(TIMEOUT_MS)
    while len(client.messages) < len(payloads):
        client.mqtt.wait_msg()
    assert [message for _, message in client.messages] == payloads


def test_a_read_joins_what_comes_a_byte_at_a_time(port: str) -> None:
    bench = Bench(port)
    data = bytes(range(256)) * 4

    def drip(connection: Connection) -> None:
        for index in range(len(data)):
            bench.world.after_ms(index * 5, connection.send, data[index : index + 1])

    Peer(bench.net, greet=drip)
    bench.open_wire()
    read = b""
    for size in (1, 0, 255, 300, 468):
        part = bench.wire.read(size)
        assert type(part) is bytes
        assert len(part) == size
        read += part
    assert read == data


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_peer_that_ends_inside_a_packet_is_econnreset(port: str, how: str) -> None:
    bench = Bench(port)

    def leave(connection: Connection) -> None:
        connection.send(b"\x20\x02\x00")
        bench.world.after_ms(100, getattr(connection, how))

    Peer(bench.net, greet=leave)
    bench.open_wire()
    with fails_with(ECONNRESET):
        bench.wire.read(4)
    assert not bench.wire.is_open()
    assert bench.stack.open_sockets == []


def test_check_msg_with_nothing_there_returns_none_at_once(version: str, port: str) -> None:
    """Complaint 2: `check_msg` sticks."""
    bench = Bench(port)
    client = Client(bench, version)
    client.sends("connect")
    client.sends("subscribe", b"plain/#")
    before_ms = bench.world.now_ms
    for _ in range(10):
        assert client.mqtt.check_msg() is None
    assert bench.world.now_ms == before_ms
    client.broker.publish("plain/t", b"hello")
    bench.time.sleep_ms(100)
    client.mqtt.check_msg()
    assert client.messages == [(b"plain/t", b"hello")]
    assert client.mqtt.check_msg() is None


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x30\xff\xff\xff\x7f\x00\x01a",  # 268,435,455 bytes are promised
        b"\x30\x84\x20\x00\x01a",  # one more than the limit
        b"\x30\x05\x00\x09a",  # a topic longer than its packet
        b"\x30\x02\xff\xff",
        b"\x32\x03\x00\x01a",  # no room for the packet id
    ],
)
def test_a_hostile_length_ends_the_connection(version: str, hostile: bytes) -> None:
    bench = Bench()
    client = Client(bench, version)
    client.sends("connect")
    client.broker.inject(hostile + b"x" * 60)
    bench.wire.arm(TIMEOUT_MS)
    with fails_with(ECONNRESET):
        client.mqtt.wait_msg()
    assert bench.stack.open_sockets == []


# Deadlines -------------------------------------------------------------------------------------


def test_the_deadline_holds_across_bytes_that_trickle_in(port: str) -> None:
    """Complaint 1: a wait that each byte prolongs. Here one comes every 9 s."""
    bench = Bench(port)

    def trickle(connection: Connection) -> None:
        for index in range(20):
            bench.world.after_ms(index * 9000, connection.send, b"\x20\x02\x00\x00"[index % 4 :])

    Peer(bench.net, greet=trickle)
    bench.open_wire()
    start_ms = bench.world.now_ms
    bench.wire.arm(TIMEOUT_MS)
    with fails_with(ETIMEDOUT):
        bench.wire.read(64)
    assert bench.world.now_ms - start_ms == TIMEOUT_MS
    assert bench.wire.longest_wait_ms == TIMEOUT_MS
    assert bench.stack.open_sockets == []


FATES = {
    "refused": {"accept": "refuse"},
    "syn unanswered": {"accept": "black-hole"},
    "accepted and never answered": {"accept": "mute"},
    "silence inside CONNACK": {"down": Cut(2, "silence")},
    "both ways dead after CONNACK": {"up": Cut(25, "dead")},
    "reset inside CONNACK": {"down": Cut(2, "reset")},
    "closed inside CONNACK": {"down": Cut(3, "close")},
    "closed before CONNACK": {"down": Cut(0, "close")},
    "send window shut": {"stalls": ((5, 3_600_000),)},
}


@pytest.mark.parametrize("fate", FATES)
def test_no_failed_connection_outlasts_its_deadline_or_leaves_a_descriptor(
    version: str, port: str, fate: str
) -> None:
    """Complaints 3 and 5: a peer that accepts and says nothing; sockets that leak."""
    bench = Bench(port, **FATES[fate])
    client = Client(bench, version)
    for _ in range(500):
        start_ms = bench.world.now_ms
        bench.wire.arm(TIMEOUT_MS)
        with pytest.raises(OSError):
            client.mqtt.connect()
            client.mqtt.publish(b"plain/a", b"x", qos=1)
        assert bench.world.now_ms - start_ms <= TIMEOUT_MS
        assert bench.stack.open_sockets == []
    assert bench.stack.sockets_made == 500
    assert bench.stack.most_open == 1


def test_a_name_that_is_not_found_leaves_no_descriptor(version: str, port: str) -> None:
    """Complaint 5 again; and no port's look-up has a time-out of ours (complaint 4)."""
    bench = Bench(port)
    client = Client(bench, version)
    bench.net.name_faults["broker"] = NameFault(-2, stall_ms=3000)
    for _ in range(500):
        bench.wire.arm(TIMEOUT_MS)
        with pytest.raises(OSError):
            client.mqtt.connect()
        assert bench.stack.open_sockets == []
    assert len(bench.lookups) == 500


@pytest.mark.parametrize("fate", ["refused", "syn unanswered"])
def test_a_connection_that_was_not_made_fails_with_the_ports_own_reason(
    port: str, fate: str
) -> None:
    bench = Bench(port, **FATES[fate])
    Peer(bench.net)
    expected = bench.stack.port.refused if fate == "refused" else ETIMEDOUT
    with fails_with(expected):
        bench.open_wire()
        # ESP32's poll has no flag for it: there the first write says it.
        assert port == "esp32"
        bench.wire.write(b"x")
        bench.wire.flush()
    assert bench.connection.bytes_up == 0
    assert bench.stack.open_sockets == []


def test_setblocking_never_lifts_the_deadline(version: str, port: str) -> None:
    """Complaint 1: upstream's wait_msg makes the socket block for ever after its first read."""
    bench = Bench(port)
    client = Client(bench, version)
    client.sends("connect")
    client.mqtt.check_msg()
    client.broker.mute = True
    for _ in range(3):
        bench.wire.setblocking(True)
        bench.wire.settimeout(None)
    start_ms = bench.world.now_ms
    bench.wire.arm(TIMEOUT_MS)
    with fails_with(ETIMEDOUT):
        client.mqtt.publish(b"plain/a", b"x", qos=1)
    assert bench.world.now_ms - start_ms == TIMEOUT_MS


def test_a_peer_that_does_not_read_ends_a_flush_at_the_deadline(port: str) -> None:
    """Complaint 3: a write that hangs for 30 s."""
    bench = Bench(port, stalls=((9_000, 3_600_000),))
    Peer(bench.net)
    bench.open_wire()
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        for _ in range(100):
            bench.wire.write(b"x" * 1000)
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS
    assert bench.stack.open_sockets == []


def test_the_idle_hook_is_called_at_least_every_500_ms_of_any_wait(port: str) -> None:
    bench = Bench(port)

    def longest_gap_ms(start_ms: int) -> int:
        times = [start_ms, *(t for t in bench.idled_ms if t >= start_ms), bench.world.now_ms]
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    for fate in ("syn unanswered", "send window shut", "accepted and never answered"):
        bench.net.conditions.accept = FATES[fate].get("accept", "ok")
        bench.net.conditions.stalls = FATES[fate].get("stalls", ())
        Peer(bench.net)
        start_ms = bench.world.now_ms
        with fails_with(ETIMEDOUT):
            bench.open_wire()
            bench.wire.write(b"x" * 10)
            bench.wire.read(1)
        assert bench.world.now_ms - start_ms == TIMEOUT_MS
        assert longest_gap_ms(start_ms) <= 500
    bench.net.conditions.accept = "ok"
    bench.open_wire()
    start_ms = bench.world.now_ms
    assert bench.wire.wait(60_000) is False
    assert bench.world.now_ms - start_ms == 60_000
    assert longest_gap_ms(start_ms) <= 500


def test_a_wait_ends_with_the_first_byte_or_error(port: str) -> None:
    bench = Bench(port)
    peer = Peer(bench.net)
    bench.open_wire()
    bench.world.after_ms(700, peer.connection.send, b"ab")
    start_ms = bench.world.now_ms
    assert bench.wire.wait(60_000)
    assert bench.world.now_ms - start_ms == 725
    assert bench.wire.read(1) == b"a"
    assert bench.wire.wait(60_000)
    assert bench.world.now_ms - start_ms == 725
    bench.wire.read(1)
    bench.world.after_ms(700, peer.connection.reset)
    assert bench.wire.wait(60_000)
    with fails_with(ECONNRESET):
        bench.wire.available()
    assert bench.wire.wait(60_000) is False


# Names -----------------------------------------------------------------------------------------


def test_an_address_is_looked_up_once_and_again_when_a_connection_to_it_fails(port: str) -> None:
    """Complaint 4: each look-up is one that may hang, so there are as few as can be."""
    bench = Bench(port)
    client = Client(bench, "lib")
    for _ in range(5):
        client.sends("connect")
        client.sends("disconnect")
    assert len(bench.lookups) == 1
    # A connection that worked and broke later says nothing about the address.
    client.sends("connect")
    client.broker.stop("reset")
    bench.time.sleep_ms(100)
    with pytest.raises(OSError):
        bench.wire.available()
    client.broker.start()
    client.sends("connect")
    assert len(bench.lookups) == 1
    # The broker moves to another host; the old address is dark.
    bench.wire.close()
    bench.net.names["broker"] = "10.0.0.99"
    bench.net.listeners["10.0.0.99", 1883] = client.broker.listener
    bench.net.listeners["10.0.0.2", 1883] = bench.net.listen("nobody", 1883, client.broker.accept)
    bench.net.listeners["10.0.0.2", 1883].state = "dark"
    bench.wire.arm(TIMEOUT_MS)
    with pytest.raises(OSError):
        client.mqtt.connect()
    client.sends("connect")
    assert len(bench.lookups) == 2


def test_a_look_up_that_outlasts_the_deadline_serves_the_next_try(port: str) -> None:
    bench = Bench(port)
    Peer(bench.net)
    bench.net.name_faults["broker"] = NameFault(None, stall_ms=9_000)
    bench.wire.arm(5_000)
    bench.wire.socket()
    with fails_with(ETIMEDOUT):
        bench.wire.getaddrinfo("broker", 1883)
    assert bench.stack.open_sockets == []
    bench.open_wire()
    assert len(bench.lookups) == 1


# Ends ------------------------------------------------------------------------------------------


def test_a_closed_wire_says_so_and_takes_a_new_connection(port: str) -> None:
    bench = Bench(port)
    peer = Peer(bench.net)
    for use in ("read", "write", "flush", "available"):
        with fails_with(ENOTCONN):
            getattr(bench.wire, use)(*([b"x"] if use == "write" else [1] if use == "read" else []))
    bench.wire.close()
    bench.open_wire()
    bench.wire.write(b"last words")
    bench.wire.close()
    bench.wire.close()
    bench.time.sleep_ms(100)
    assert peer.data == b"last words"
    assert peer.reasons == ["close"]
    assert bench.stack.open_sockets == []


def test_a_new_connection_closes_the_one_before_and_forgets_its_bytes(port: str) -> None:
    bench = Bench(port)
    Peer(bench.net, greet=lambda connection: connection.send(b"old"))
    bench.open_wire()
    bench.wire.read(1)
    bench.wire.setblocking(False)
    Peer(bench.net, greet=lambda connection: connection.send(b"new"))
    bench.open_wire()
    assert len(bench.stack.open_sockets) == 1
    assert bench.wire.read(3) == b"new"


def test_disconnect_of_umqtt_simple_leaves_no_descriptor_even_when_its_write_fails(
    version: str, port: str
) -> None:
    """Complaint 3: upstream closes only after a write that worked."""
    bench = Bench(port)
    client = Client(bench, version)
    client.sends("connect")
    client.broker.stop("reset")
    bench.time.sleep_ms(100)
    try:
        client.sends("disconnect")
    except OSError as error:
        assert number(error) in (EPIPE, ECONNRESET, ENOTCONN)
    assert bench.stack.open_sockets == []


def test_a_port_out_of_descriptors_recovers_when_there_is_one(port: str) -> None:
    bench = Bench(port)
    Peer(bench.net)
    hoard = [bench.stack.socket.socket() for _ in range(bench.stack.port.descriptors)]
    bench.wire.arm(TIMEOUT_MS)
    with fails_with(bench.stack.port.no_descriptor):
        bench.wire.socket()
    hoard.pop().close()
    bench.open_wire()
    assert bench.wire.is_open()
