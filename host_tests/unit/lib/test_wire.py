"""The wire under umqtt.simple: segments, exact reads and addresses, on three ports' sockets."""

import random

import pytest
from rigs.session import PORTS, TIMEOUT_MS, VERSIONS, Bench, Peer, PlainClient, fails_with

from fakes.net import Connection, NameFault
from wire import Wire

ECONNRESET, ETIMEDOUT = 104, 110
SEGMENT_BYTES = 1400


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


# Segments ---------------------------------------------------------------------------------------


def test_each_packet_of_umqtt_simple_leaves_as_one_segment(version: str, port: str) -> None:
    bench = Bench(port)
    client = PlainClient(bench, version)
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


def test_no_segment_waits_for_the_one_before_it(version: str, port: str) -> None:
    bench = Bench(port)
    PlainClient(bench, version).sends("connect")
    (socket,) = bench.stack.open_sockets
    assert (6, 1, 1) in socket.options, "IPPROTO_TCP, TCP_NODELAY"


def test_its_own_counters_are_what_crossed_the_network(version: str, port: str) -> None:
    bench = Bench(port)
    client = PlainClient(bench, version)
    client.sends("connect")
    client.sends("subscribe", b"plain/#")
    for index in range(20):
        client.sends("publish", b"plain/a", b"%d" % index, qos=1)
    wire, connection = bench.wire, bench.connection
    assert (wire.segments, wire.round_trips) == (22, 23)
    assert (wire.segments, wire.round_trips) == (connection.segments, connection.round_trips)
    assert wire.sent_bytes == connection.bytes_up


def test_text_is_sent_as_its_utf_8_bytes() -> None:
    """umqtt.simple hands on what its user gave: upstream's socket takes text, too."""
    bench = Bench()
    client = PlainClient(bench, "lib", "plain")
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


# Reading ----------------------------------------------------------------------------------------


def test_reads_are_exact_however_the_bytes_arrive(version: str, port: str) -> None:
    bench = Bench(port, split=0.8, jitter_ms=20)
    client = PlainClient(bench, version)
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
    client = PlainClient(bench, version)
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
    client = PlainClient(bench, version)
    client.sends("connect")
    client.broker.inject(hostile + b"x" * 60)
    bench.wire.arm(TIMEOUT_MS)
    with fails_with(ECONNRESET):
        client.mqtt.wait_msg()
    assert bench.stack.open_sockets == []


@pytest.mark.parametrize("last_bytes", [1, 2, 255, 256])
def test_what_is_skipped_ends_with_its_last_byte_however_that_comes(
    port: str, last_bytes: int
) -> None:
    bench = Bench(port)
    skipped = bytes(5000)

    def greet(connection: Connection) -> None:
        connection.send(skipped[:-last_bytes])
        bench.world.after_ms(100, connection.send, skipped[-last_bytes:])
        bench.world.after_ms(200, connection.send, b"next")

    Peer(bench.net, greet=greet)
    bench.open_wire()
    bench.wire.skip(len(skipped))
    assert bench.wire.read(4) == b"next"


def test_what_leaves_on_closing_is_counted_and_what_the_port_refuses_is_not(port: str) -> None:
    bench = Bench(port)
    Peer(bench.net)
    bench.open_wire()
    bench.wire.write(b"last words")
    bench.wire.close()
    assert (bench.wire.segments, bench.wire.sent_bytes) == (1, 10)
    bench.open_wire()
    bench.connection.reset()
    bench.time.sleep_ms(100)
    bench.wire.write(b"to nobody")
    bench.wire.close()
    assert (bench.wire.segments, bench.wire.sent_bytes) == (1, 10)


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, NameFault(-2)])
def test_a_watchdog_is_given_time_for_a_look_up_and_for_nothing_after_it(
    fault: NameFault | None,
) -> None:
    bench = Bench()
    Peer(bench.net)
    given: list[int] = []
    bench.wire = Wire(
        bench.stack.socket, bench.stack.select, bench.time, hold_watchdog=given.append
    )
    if fault:
        bench.net.name_faults["broker"] = fault
        with pytest.raises(OSError):
            bench.open_wire()
    else:
        bench.open_wire()
    assert given == [30_000, 0]


def test_no_more_than_the_last_hosts_address_is_remembered() -> None:
    """Whoever keeps it over a sleep takes the one that there is."""
    bench = Bench()
    bench.wire.arm(1000)
    for host in ("10.0.0.1", "10.0.0.2"):
        bench.wire.getaddrinfo(host, 1883)
    assert list(bench.wire.addresses) == [("10.0.0.2", 1883)]


def test_an_address_is_looked_up_once_and_again_when_a_connection_to_it_fails(port: str) -> None:
    """Complaint 4: each look-up is one that may hang, so there are as few as can be."""
    bench = Bench(port)
    client = PlainClient(bench, "lib")
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


@pytest.mark.parametrize("says", [None, OSError(11)], ids=["None", "EAGAIN"])
def test_what_is_not_here_yet_is_waited_for_however_a_port_says_so(
    monkeypatch: pytest.MonkeyPatch, says: OSError | None
) -> None:
    bench = Bench("esp32")
    client = PlainClient(bench, "lib")
    client.sends("connect")
    sock = bench.wire._sock
    readinto, asked, waited = sock.readinto, [], []

    def later(buffer: bytearray) -> int | None:
        asked.append(len(waited))
        assert len(asked) < 20, "it looks again and again"
        if len(waited) >= 3:
            return readinto(buffer)
        if says:
            raise says
        return None

    monkeypatch.setattr(sock, "readinto", later)
    monkeypatch.setattr(bench.wire, "_wait", lambda _: waited.append(bench.time.sleep_ms(100)))
    assert bench.wire.available() == 0 and bench.wire.is_open()
    bench.wire.write(b"\xc0\0")  # PINGREQ
    bench.wire.setblocking(True)
    assert bench.wire.read(2) == b"\xd0\0"
    assert asked == [0, 0, 1, 2, 3], "it waits before it looks again"
