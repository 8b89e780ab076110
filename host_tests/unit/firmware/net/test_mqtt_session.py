"""One MQTT session from CONNECT to its end, against the broker in memory, on both umqtt.simple."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from rigs.session import PORTS, TIMEOUT_MS, TOPIC, VERSIONS, Peer, SessionBench, fails_with

from fakes.habits import Habits
from fakes.net import Connection

ECONNRESET, ENOTCONN, EPROTO, ETIMEDOUT = 104, 107, 71, 110


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


# Round trips ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 10, 50])
def test_waiting_readings_are_acknowledged_after_two_round_trips(
    version: str, port: str, count: int
) -> None:
    bench = SessionBench(version, port)
    bench.open()
    bench.session.close()
    readings = bench.put(count, size=80)
    start_ms = bench.world.now_ms
    bench.open()
    bench.deliver()
    assert bench.world.now_ms - start_ms == 2 * 50  # TCP's, and MQTT's
    connection = bench.connection
    assert connection.round_trips == 2
    assert connection.segments <= connection.bytes_up / 1400 + 2
    assert bench.arrived == readings
    assert bench.broker.violations == []


def test_waiting_readings_travel_in_the_segment_of_connect(version: str) -> None:
    bench = SessionBench(version)
    readings = bench.put(10)
    bench.open()
    assert bench.connection.segments == 1
    assert bench.arrived == readings


def test_without_early_nothing_leaves_before_connack(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.early = False
    bench.start(early=False)
    readings = bench.put(10)
    bench.open()
    bench.deliver()
    assert bench.broker.violations == []
    assert bench.connection.round_trips == 3
    assert bench.arrived == readings


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("connack", ["after", "before"])
def test_a_broker_that_closes_on_early_packets_gets_none_at_the_next_try(
    version: str, port: str, how: str, connack: str
) -> None:
    bench = SessionBench(version, port)
    bench.broker.early = False
    bench.broker.connack_delay_ms = 5 if connack == "after" else 0
    bench.broker.listener.accept = lambda connection: _closing(bench, connection, how)
    readings = bench.put(10)
    with fails_with(ECONNRESET):
        bench.open()
        assert connack == "before"
        bench.run_ms(1000)
    assert len(bench.broker.violations) == 1
    bench.open()
    bench.deliver()
    assert len(bench.broker.violations) == 1
    assert bench.arrived == readings


def _closing(bench: SessionBench, connection: Connection, how: str) -> Any:
    """The broker's end of a connection, which it closes with or without ceremony."""
    connection.close = getattr(connection, how)
    return bench.broker.accept(connection)


def test_a_broker_that_drops_early_packets_gets_none_at_the_next_try(version: str) -> None:
    bench = SessionBench(version)
    readings = bench.put(10)
    bench.broker.answer = lambda name, data: data if name == "CONNACK" else None
    bench.open()
    with fails_with(ETIMEDOUT):
        bench.run_ms(20_000)
    bench.broker.answer = None
    bench.arrived.clear()
    bench.open()
    assert bench.arrived == []
    bench.deliver()
    assert bench.arrived == readings
    bench.session.abandon()
    bench.put(1)
    bench.open()
    assert len(bench.arrived) == 11  # and then they ride again


@pytest.mark.parametrize(
    "habits",
    [
        Habits(early="drop"),
        Habits(early="hang"),
        Habits(early="answer"),
        Habits(early_max=3),
        Habits(early_max=3, unread_resets=True),
    ],
)
def test_early_packets_that_were_not_all_taken_are_taken_on_the_next_connection(
    version: str, port: str, habits: Habits
) -> None:
    """However many of them, and whatever follows them, was taken and acknowledged."""
    bench = SessionBench(version, port)
    bench.broker.habits = habits
    readings = bench.put(10)
    with pytest.raises(OSError):
        bench.open()
        bench.session.publish(b"fieldpost/bench/health", b"{}", True, 1)
        bench.run_ms(20_000)
    bench.open()
    bench.deliver()
    assert set(bench.arrived) == set(readings)
    assert bench.outbox.depth == 0


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_broker_that_never_takes_early_packets_is_tried_again_ever_more_rarely(
    version: str, sleeps: bool
) -> None:
    bench = SessionBench(version)
    bench.broker.early = False
    rides = []

    def connect() -> None:
        before = len(bench.broker.violations)
        bench.put(1)
        with contextlib.suppress(OSError):
            bench.open()
            bench.deliver()
        rides.append(len(bench.broker.violations) > before)
        bench.session.abandon()
        if sleeps:
            bench.sleep_deep()

    for _ in range(160):
        connect()
    # In vain, then 1 without, in vain, 4 without, and so on: 64 at most.
    assert [n for n, rode in enumerate(rides) if rode] == [0, 2, 7, 24, 89, 154]
    assert len(bench.arrived) == bench.outbox.first == 160
    # A broker that takes them (it was replaced) has them with every connection again.
    bench.broker.early = True
    while bench.session.early_state()[1]:
        connect()
    for _ in range(3):
        bench.put(1)
        bench.open()
        assert bench.connection.segments == 1
        bench.deliver()
        bench.session.abandon()


@pytest.mark.parametrize("sleeps", [False, True])
def test_an_accident_costs_one_connection_without_early_packets(
    version: str, sleeps: bool
) -> None:
    bench = SessionBench(version)
    for _ in range(5):
        bench.put(1)
        bench.broker.early = False
        with pytest.raises(OSError):
            bench.open()
            bench.run_ms(1000)
        bench.broker.early = True
        for rides in (False, True):
            if sleeps:
                bench.sleep_deep()
            bench.put(1)
            bench.open()
            assert (bench.connection.segments == 1) == rides
            bench.deliver()
            bench.session.abandon()


def _connect(bench: SessionBench, count: int, sleeps: bool) -> tuple[int, int]:
    """Deliver `count` readings and as many extras as a node has; connections that it took, and
    round trips of the last."""
    bench.put(count)

    def publish_early() -> None:
        bench.publish_early()
        bench.session.publish(b"fieldpost/bench/status", b"{}", True, 1)
        bench.session.subscribe(b"fieldpost/bench/cmd")
        bench.session.subscribe(b"homeassistant/status")

    before = len(bench.net.connections)
    for _ in range(2):
        try:
            bench.session.open(publish_early)
            bench.delivery.pump_all()  # A node does not wait while more can go.
            bench.deliver()
            break
        except OSError:
            bench.session.abandon()
    used = len(bench.net.connections) - before, bench.connection.round_trips
    bench.session.abandon()
    if sleeps:
        bench.sleep_deep()
    assert not bench.outbox.depth
    return used


@pytest.mark.parametrize("sleeps", [False, True])
@pytest.mark.parametrize("resets", [False, True])
def test_how_many_early_packets_a_broker_takes_is_learned(
    version: str, sleeps: bool, resets: bool
) -> None:
    """aedes takes 42, and closes on one more."""
    bench = SessionBench(version)
    bench.broker.habits = Habits(early_max=42, unread_resets=resets)
    outages = [_connect(bench, 500, sleeps) for _ in range(40)]
    # Twice in vain until a number fits; then all of them are tried after 4 that fitted, after 16,
    # and after 64.
    failed = [number for number, (used, _) in enumerate(outages) if used == 2]
    assert failed == [0, 1, 6, 23]
    # TCP, CONNECT with 31 of them, and the rest.
    assert {trips for used, trips in outages if used == 1} == {3}
    assert set(bench.arrived) == {b"%06d" % n for n in range(40 * 500)}
    # Few readings ride as if there were no limit.
    for count in (1, 5, 30):
        assert _connect(bench, count, sleeps) == (1, 2)


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_number_that_was_learned_is_forgotten_once_more_are_taken(
    version: str, sleeps: bool
) -> None:
    bench = SessionBench(version)
    bench.broker.habits = Habits(early_max=42)
    for _ in range(3):
        _connect(bench, 100, sleeps)
    bench.broker.habits = Habits()
    for _ in range(3):
        assert _connect(bench, 1, sleeps) == (1, 2)
    taken = [_connect(bench, 100, sleeps) for _ in range(6)]
    assert taken[-1] == (1, 2) and taken[0] == (1, 3)
    bench.broker.habits = Habits(early_max=42)
    assert _connect(bench, 100, sleeps)[0] == 2
    bench.broker.habits = Habits()
    assert _connect(bench, 100, sleeps) == (1, 3)
    assert _connect(bench, 100, sleeps) == (1, 2), "one failure may be an accident"


def test_a_broker_that_cannot_be_reached_does_not_cost_the_ride(version: str, port: str) -> None:
    """Some ports tell of a refused connection only where it is written to."""
    bench = SessionBench(version, port)
    bench.put(5)
    bench.broker.stop("reset")
    with pytest.raises(OSError):
        bench.open()
    bench.broker.start()
    bench.open()
    assert bench.connection.segments == 1
    assert len(bench.arrived) == 5


def _answers_them_first(connection: Connection, data: bytes) -> None:
    """As mosca does: what came behind CONNECT is acknowledged before CONNECT is."""
    if data[0] == 0x10 and len(data) > 2 + data[1]:
        connection.send(b"\x40\x02\x00\x01\x20\x02\x00\x00")
    elif data[0] == 0x10:
        connection.send(b"\x20\x02\x00\x00")


def _is_silent_to_them(connection: Connection, data: bytes) -> None:
    """CONNECT is never answered when bytes follow it."""
    if data[0] == 0x10 and len(data) == 2 + data[1]:
        connection.send(b"\x20\x02\x00\x00")


@pytest.mark.parametrize("answer", [_answers_them_first, _is_silent_to_them])
def test_a_broker_that_mistakes_early_packets_gets_none_at_the_next_connection(
    version: str, answer: Callable[[Connection, bytes], None]
) -> None:
    bench = SessionBench(version)
    bench.broker.stop("reset")
    Peer(bench.net, answer)
    bench.put(1)
    with pytest.raises(OSError):
        bench.open()
    bench.open()
    assert bench.session.wire.is_open()


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_reading_that_is_lost_behind_answered_ones_has_its_own_deadline(
    version: str, lost: int
) -> None:
    """A relay drops one PUBLISH; what is acknowledged behind it does not stand for it."""
    bench = SessionBench(version)
    bench.open()
    bench.broker.answer = lambda name, data: None if name == "PUBACK" and data[3] == lost else data
    began_ms = bench.world.now_ms
    taken = []
    with fails_with(ETIMEDOUT):
        while bench.world.now_ms < began_ms + 4 * TIMEOUT_MS:
            taken += bench.put(1)
            bench.run_ms(1000)
    assert bench.world.now_ms - began_ms <= TIMEOUT_MS + lost * 1000 + 1000
    bench.broker.answer = None
    bench.open()
    bench.deliver()
    assert sorted(set(bench.arrived)) == taken


def test_an_answered_reading_does_not_stand_for_a_status_that_is_lost(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.publish(b"status", b"online", True, 1)
    mine = bench.session.pid & 0xFF
    bench.broker.answer = lambda name, data: None if name == "PUBACK" and data[3] == mine else data
    with fails_with(ETIMEDOUT):
        for _ in range(15):
            bench.put(1)
            bench.run_ms(1000)


# CONNACK ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_a_refusal_gives_the_brokers_reason(version: str, code: int) -> None:
    bench = SessionBench(version)
    bench.put(3)
    bench.broker.refuse = code
    with pytest.raises(bench.module.Refused) as refusal:
        bench.open()
    word = {1: "protocol", 2: "identifier", 4: "password", 5: "authorised"}[code]
    assert word in str(refusal.value)
    assert not isinstance(refusal.value, OSError)
    assert bench.stack.open_sockets == []
    bench.broker.refuse = 0
    bench.open()
    bench.deliver()
    assert len(bench.arrived) == 3


CONNACKS = {
    "server unavailable": (b"\x20\x02\x00\x03", ENOTCONN),
    "an unknown code": (b"\x20\x02\x00\x06", EPROTO),
    "code 255": (b"\x20\x02\x00\xff", EPROTO),
    "another packet": (b"\x40\x02\x00\x01", EPROTO),
    "another length": (b"\x20\x03\x00\x00\x00", EPROTO),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", EPROTO),
    "zeros": (bytes(100), EPROTO),
}


@pytest.mark.parametrize("answer", CONNACKS)
def test_a_connack_that_is_none_is_an_oserror(version: str, answer: str) -> None:
    """Complaint 6: a short CONNACK is an IndexError."""
    data, expected = CONNACKS[answer]
    bench = SessionBench(version)
    bench.broker.answer = lambda name, _: data if name == "CONNACK" else None
    with fails_with(expected):
        bench.open()
    assert bench.stack.open_sockets == []


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_a_connack_cut_short_is_an_oserror(version: str, size: int) -> None:
    """Complaint 6 again."""
    bench = SessionBench(version)

    def answer(_name: str, data: bytes) -> bytes:
        bench.world.after_ms(1, bench.connection.close)
        return data[:size]

    bench.broker.answer = answer
    with fails_with(ECONNRESET):
        bench.open()
    assert bench.stack.open_sockets == []


# Who the client says it is ----------------------------------------------------------------------


def test_connect_carries_what_it_was_given(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.users = {"gärtner": "grün-19"}
    bench.start(
        "gewächshaus-7",
        user="gärtner",
        password="grün-19",
        keepalive_s=65_535,
        clean=False,
        will=("fieldpost/grün/status".encode(), '{"state":"weg, Grüße"}'.encode()),
    )
    assert bench.open() is False
    connect = bench.broker.connects[-1][1]
    assert connect.client_id == "gewächshaus-7"
    assert (connect.user, connect.password) == ("gärtner", "grün-19".encode())
    assert (connect.keepalive_s, connect.clean) == (65_535, False)
    assert connect.will_topic == "fieldpost/grün/status"
    assert connect.will_payload == '{"state":"weg, Grüße"}'.encode()
    assert (connect.will_qos, connect.will_retain) == (1, True)
    bench.session.close()
    bench.time.sleep_ms(100)
    assert bench.open() is True  # the broker kept the session
    assert bench.broker.violations == []


def test_a_user_without_password_and_a_session_without_user_connect(version: str) -> None:
    bench = SessionBench(version)
    bench.start(user="anna", password=None)
    bench.open()
    assert bench.broker.connects[-1][1].password == b""
    bench.start()
    bench.open()
    assert bench.broker.connects[-1][1].user is None
    bench.broker.users = {"anna": "right"}
    bench.start(user="anna", password="wrong")
    with pytest.raises(bench.module.Refused, match="not authorised"):
        bench.open()


@pytest.mark.parametrize("keepalive_s", [1, 60, 3600])
def test_a_keepalive_of_any_length_keeps_a_silent_session_alive(
    version: str, keepalive_s: int
) -> None:
    """Complaint 6: `keepalive=0` is refused by some brokers, so a session always has one."""
    bench = SessionBench(version)
    bench.start(keepalive_s=keepalive_s, timeout_ms=500)
    bench.open()
    bench.run_ms(keepalive_s * 5000)
    assert len(bench.broker.connects) == 1
    assert list(bench.broker.clients) == ["bench"]
    # One ping for each half of the keepalive: not one more than is needed.
    assert 8 <= bench.wire.segments - 1 <= 10


def test_a_quiet_session_has_nothing_to_do_until_its_ping(version: str) -> None:
    bench = SessionBench(version)
    bench.start(keepalive_s=8)
    bench.open()
    bench.run_ms(100)
    quiet_ms = bench.session._quiet_ms()
    assert 100 <= quiet_ms < 200
    assert bench.session.due_ms() == 4000 - quiet_ms + 1
    bench.world.sleep_ms(3000)
    assert bench.session.due_ms() == 1000 - quiet_ms + 1


def test_whoever_wants_to_know_is_told_of_acknowledged_readings_and_of_nothing_else(
    version: str,
) -> None:
    bench = SessionBench(version)
    told: list[int] = []
    inner = bench.session.on_acknowledged
    bench.session.on_acknowledged = lambda count: told.append(count) or inner(count)
    bench.put(7)
    bench.open()
    bench.deliver()
    bench.session.publish(b"status", b"1", True, 1)
    bench.run_ms(60_000)
    assert sum(told) == 7 and min(told) > 0


def test_a_will_is_published_when_the_node_vanishes_and_only_then(version: str) -> None:
    bench = SessionBench(version)
    will = (b"fieldpost/bench/status", b'{"state":"offline"}')
    bench.start(will=will, keepalive_s=10)
    bench.open()
    bench.session.close()
    bench.time.sleep_ms(60_000)
    assert list(bench.broker.records) == []
    bench.open()
    bench.session.abandon()
    bench.time.sleep_ms(100)
    assert [(one.topic.encode(), one.payload) for one in bench.broker.records] == [will]
    assert bench.broker.retained["fieldpost/bench/status"].payload == will[1]
    bench.broker.records.clear()
    bench.open()
    bench.stack.power_off()
    bench.world.sleep_ms(15_100)
    assert [one.payload for one in bench.broker.records] == [will[1]]


# Publishing -------------------------------------------------------------------------------------


def test_only_subscriptions_are_remembered_by_their_topic(
    version: str,
) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.publish(b"status", b"1", True, 1)
    bench.session.subscribe(b"cmd")
    assert list(bench.session._subscriptions.values()) == [b"cmd"]


def test_publish_carries_topic_payload_qos_and_retain_of_any_size(version: str, port: str) -> None:
    bench = SessionBench(version, port)
    bench.open()
    rng = random.Random(4)
    expected = []
    for index in range(120):
        topic = ("ä/" + "t" * rng.randrange(1, 200)).encode()
        size = rng.choice([0, 1, rng.randrange(300), rng.randrange(20_000)])
        retain, qos = rng.random() < 0.5, index % 2
        payload = rng.randbytes(size)
        bench.session.publish(topic, payload, retain, qos)
        expected.append((topic.decode(), payload, qos, retain))
        if index % 8 == 0:
            bench.run_ms(200)
    bench.run_ms(1000)
    found = [(one.topic, one.payload, one.qos, one.retain) for one in bench.broker.records]
    assert found == expected
    assert not bench.session.waits()
    assert bench.broker.violations == []


def test_what_is_published_without_a_word_is_not_kept_and_not_acknowledged(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.publish(b"a", b"b")
    assert not bench.session.waits()
    bench.run_ms(1000)
    (found,) = bench.broker.records
    assert (found.qos, found.retain) == (0, False)


@pytest.mark.parametrize("qos", [0, 1])
def test_publish_says_its_length_where_that_takes_one_more_byte(qos: int) -> None:
    """MQTT 3.1.1 section 2.2.3: 127 fits into one byte, 128 does not, and so on."""
    bench = SessionBench("lib")
    bench.open()
    head = 2 + len(b"a/b") + 2 * qos
    sizes = [length - head for edge in (1 << 7, 1 << 14) for length in (edge - 1, edge, edge + 1)]
    for size in sizes:
        bench.session.publish(b"a/b", bytes(size), False, qos)
        bench.run_ms(200)
    assert [len(one.payload) for one in bench.broker.records] == sizes
    assert bench.broker.violations == []


@pytest.mark.parametrize("qos", [0, 1])
def test_a_topic_longer_than_a_segment_is_refused_and_harms_nothing(
    version: str, qos: int
) -> None:
    bench = SessionBench(version)
    bench.open()
    readings = bench.put(3)
    with pytest.raises(ValueError):
        bench.session.publish(b"t" * 1399, b"x", False, qos)
    bench.session.publish(b"t" * 1300, b"x" * 3000, False, qos)
    bench.run_ms(15_000)
    assert bench.arrived == readings
    assert bench.broker.records[0].payload == b"x" * 3000
    assert bench.broker.violations == []


# Ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["well", "reset", "dark", "stalled", "closed"])
def test_close_always_closes_and_never_hangs(version: str, port: str, state: str) -> None:
    """Complaint 3: `disconnect()` hangs in its write, or leaves the socket open."""
    bench = SessionBench(version, port)
    if state == "stalled":
        bench.net.conditions.stalls = ((60, 3_600_000),)
    bench.start(will=(b"fieldpost/bench/status", b"offline"))
    bench.open()
    if state in ("reset", "dark"):
        bench.broker.stop(state)
        bench.time.sleep_ms(100)
    elif state == "closed":
        bench.session.abandon()
    bench.session.publish(b"fieldpost/bench/status", b"x" * 100) if state != "closed" else None
    start_ms = bench.world.now_ms
    bench.session.close()
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS
    assert bench.stack.open_sockets == []
    bench.time.sleep_ms(1000)
    if state == "well":
        assert [one.payload for one in bench.broker.records] == [b"x" * 100]


def test_memory_that_runs_out_in_a_callback_closes_the_connection(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.subscribe(b"cmd", 0)
    bench.run_ms(200)

    def no_memory(*_: Any) -> None:
        raise MemoryError

    bench.session.on_message = no_memory
    bench.broker.publish("cmd", b"x")
    with pytest.raises(MemoryError):
        bench.run_ms(200)
    assert bench.stack.open_sockets == []


def test_two_sessions_take_turns_in_one_program() -> None:
    """The module's socket is one: whoever opens takes it (a publish from the REPL)."""
    first, second = SessionBench("lib"), SessionBench("lib")
    first.put(3)
    second.put(3)
    first.open()
    second.open()
    first.deliver()
    second.deliver()
    first.session.close()
    first.open()
    first.put(3)
    first.deliver()
    assert len(first.arrived) == 6
    assert TOPIC.decode() == first.broker.records[0].topic
