"""Nothing on the wire outlasts its deadline or leaves a descriptor, whatever the peer does."""

import itertools

import pytest
from rigs.session import PORTS, TIMEOUT_MS, VERSIONS, Bench, Peer, PlainClient, fails_with, number

from fakes.net import Connection, Cut, NameFault

EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT = 32, 104, 107, 110
SEGMENT_BYTES = 1400


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


# Deadlines --------------------------------------------------------------------------------------


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
    client = PlainClient(bench, version)
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
    client = PlainClient(bench, version)
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
    client = PlainClient(bench, version)
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


# Ends -------------------------------------------------------------------------------------------


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
    client = PlainClient(bench, version)
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
