"""What comes in on a session: answers to pings, messages, and what no broker should send."""

import random

import pytest
from rigs.mutated_packets import mutated
from rigs.session import PORTS, TIMEOUT_MS, VERSIONS, SessionBench, fails_with, number

ECONNRESET, EPROTO, ETIMEDOUT = 104, 71, 110


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


# Keepalive --------------------------------------------------------------------------------------


def test_a_silent_link_is_pinged_and_given_up_when_no_answer_comes(
    version: str, port: str
) -> None:
    """Complaint 2: the connection is gone and nothing raises."""
    bench = SessionBench(version, port)
    bench.open()
    bench.run_ms(600_000)
    assert 18 <= bench.wire.segments - 1 <= 20
    bench.stack.radio(False)  # packets vanish, nothing is said
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        bench.run_ms(600_000)
    assert bench.world.now_ms - start_ms <= 30_000 + TIMEOUT_MS + 10
    assert bench.stack.open_sockets == []


def test_what_a_node_sends_into_the_void_does_not_stand_for_an_answer(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.stack.radio(False)
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        for _ in range(100):
            bench.session.publish(b"fieldpost/bench/health", b"well")  # QoS 0
            bench.run_ms(5000)
    assert bench.world.now_ms - start_ms <= 30_000 + TIMEOUT_MS + 5000


def test_messages_that_come_in_do_not_stand_for_a_ping(version: str) -> None:
    """The broker counts only what it hears from the client (section 3.1.2.10)."""
    bench = SessionBench(version)
    bench.open()
    bench.session.subscribe(b"news", 0)
    bench.broker.flood("news", 400, interval_ms=5000)
    bench.run_ms(1_900_000)
    assert len(bench.messages) > 370
    assert list(bench.broker.clients) == ["bench"]


def test_answers_of_a_broker_that_is_only_slow_are_awaited(version: str) -> None:
    bench = SessionBench(version)
    bench.net.conditions.latency_ms = 2500
    bench.start(keepalive_s=20, timeout_ms=20_000)
    bench.open()
    bench.put(3)
    bench.run_ms(120_000)
    assert bench.outbox.depth == 0
    assert len(bench.broker.connects) == 1


def test_a_node_that_was_busy_longer_than_the_deadline_takes_the_answers_that_wait(
    version: str,
) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.put(100)
    bench.delivery.pump()
    bench.session.flush()
    bench.time.sleep_ms(TIMEOUT_MS + 5000)  # a sensor, a flash that erases
    bench.session.poll()
    bench.deliver()
    bench.run_ms(31_000)
    bench.time.sleep_ms(TIMEOUT_MS + 5000)
    bench.run_ms(31_000)
    assert len(bench.broker.connects) == 1


# Subscriptions and messages ---------------------------------------------------------------------


def test_messages_of_qos_0_and_1_come_in_with_their_retained_flag(version: str) -> None:
    bench = SessionBench(version, split=0.5, jitter_ms=3)
    topic = "fieldpost/bench/cmd/grün"
    bench.broker.publish(topic, b"kept", 1, True)
    bench.open()
    bench.session.subscribe(b"fieldpost/bench/cmd/#", 1)
    bench.run_ms(500)
    bench.broker.publish(topic, b"zero")
    bench.broker.publish(topic, b"one", 1)
    bench.broker.publish(topic, b"", 1)
    bench.broker.publish(topic, b"x" * 4000, 1)
    bench.run_ms(1000)
    assert bench.messages == [
        (topic.encode(), b"kept", True),
        (topic.encode(), b"zero", False),
        (topic.encode(), b"one", False),
        (topic.encode(), b"", False),
        (topic.encode(), b"x" * 4000, False),
    ]
    assert bench.broker.sessions["bench"].inflight == {}
    assert not bench.session.waits()


def test_what_came_while_a_persistent_session_was_away_comes_at_the_next_connection(
    version: str,
) -> None:
    bench = SessionBench(version)
    bench.start(clean=False)
    bench.open()
    bench.session.subscribe(b"cmd", 1)
    bench.run_ms(200)
    bench.session.close()
    bench.time.sleep_ms(100)
    for index in range(50):
        bench.broker.publish("cmd", b"%d" % index, 1)
    readings = bench.put(20)
    assert bench.open() is True
    bench.run_ms(1000)
    assert [message for _, message, _ in bench.messages] == [b"%d" % n for n in range(50)]
    assert bench.arrived == readings


@pytest.mark.parametrize("code", [b"\x80", b"\x8f"])
def test_a_subscription_that_is_refused_is_named_and_costs_nothing_else(
    version: str, code: bytes
) -> None:
    """Mosquitto's dynamic security, NATS and aedes answer 0x80 to who may only publish.

    ejabberd answers 0x8F, a code of MQTT 5.
    """
    bench = SessionBench(version)
    lines: list[str] = []
    bench.session.log = lines.append
    bench.broker.answer = lambda name, data: data[:4] + code if name == "SUBACK" else data
    bench.open()
    bench.session.subscribe(b"fieldpost/n/cmd", 1)
    bench.session.subscribe(b"homeassistant/status", 1)
    readings = bench.put(20)
    bench.deliver()
    bench.run_ms(2 * TIMEOUT_MS)
    assert bench.arrived == readings, "each of them once"
    assert bench.session.refused == ["fieldpost/n/cmd", "homeassistant/status"]
    assert lines == ["broker refuses us " + topic for topic in bench.session.refused]
    assert not bench.session.waits()


def test_a_subscription_that_is_not_answered_is_a_timeout(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.answer = lambda name, data: None if name == "SUBACK" else data
    bench.open()
    bench.session.subscribe(b"cmd", 1)
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        bench.run_ms(60_000)
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS + 2


def test_a_flood_of_messages_is_taken_in_bounded_pieces(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.subscribe(b"news", 0)
    bench.run_ms(200)
    bench.broker.flood("news", 1000)
    bench.time.sleep_ms(100)
    readings = bench.put(5)
    largest = 0
    while bench.outbox.depth or len(bench.messages) < 1000:
        before = len(bench.messages)
        bench.turn()
        largest = max(largest, len(bench.messages) - before)
    assert largest == 64
    assert bench.arrived == readings


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("size", [5000, 300_000])
def test_a_message_too_large_to_keep_is_passed_over_for_good(
    version: str, qos: int, size: int
) -> None:
    """Retained, or kept for a persistent session, it would come with every connection, before
    the acknowledgement of any reading."""
    bench = SessionBench(version, split=0.3)
    bench.start(clean=False)
    bench.broker.publish("cmd", b"x" * size, qos, True)

    def publish_early() -> None:
        bench.session.subscribe(b"cmd", 1)
        bench.publish_early()

    for connection in range(3):
        readings = bench.put(5)
        bench.session.open(publish_early)
        bench.deliver()
        bench.broker.publish("cmd", b"small")
        bench.run_ms(300)
        assert bench.arrived[-5:] == readings
        assert bench.session.oversized == connection + 1
        bench.session.close()
        bench.time.sleep_ms(300)
    assert [message for _, message, _ in bench.messages] == [b"small"] * 3
    assert bench.broker.sessions["bench"].inflight == {}
    assert len(bench.broker.connects) == 3


def test_a_message_too_large_for_the_deadline_ends_the_connection(version: str) -> None:
    bench = SessionBench(version)
    bench.open()

    def more() -> None:
        bench.broker.inject(b"y" * 2000)
        bench.world.after_ms(10, more)

    bench.broker.inject(b"\x30\xff\xff\xff\x7f\x00\x03cmd")
    more()
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        bench.run_ms(60_000)
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS + 100
    assert bench.stack.open_sockets == []


@pytest.mark.parametrize(("first", "topic"), [(0x30, 4999), (0x32, 4997), (0x32, 65535)])
def test_a_message_too_large_to_keep_that_is_shorter_than_its_topic_is_none(
    version: str, first: int, topic: int
) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.broker.inject(b"%c\x88\x27" % first + topic.to_bytes(2, "big"))  # of 5,000 bytes
    with fails_with(EPROTO):
        bench.run_ms(1000)
    assert bench.stack.open_sockets == []


@pytest.mark.parametrize(
    ("first", "topic"), [(0x30, 4998), (0x31, 4998), (0x32, 4996), (0x33, 4996)]
)
def test_a_message_too_large_to_keep_may_be_all_topic(
    version: str, first: int, topic: int
) -> None:
    bench = SessionBench(version)
    bench.open()
    packet_id = b"\0\7" if first & 2 else b""
    head = b"%c\x88\x27" % first + topic.to_bytes(2, "big")
    bench.broker.inject(head + b"t" * topic + packet_id)
    bench.run_ms(1000)
    assert bench.session.oversized == 1 and bench.messages == []
    bench.put(1)
    bench.deliver()


# Malformed input --------------------------------------------------------------------------------

MALFORMED = {
    "a second CONNACK": b"\x20\x02\x00\x00",
    "type 0": b"\x00\x00",
    "CONNECT": b"\x10\x00",
    "PUBREC": b"\x50\x02\x00\x01",
    "SUBSCRIBE": b"\x82\x02\x00\x01",
    "PINGREQ": b"\xc0\x00",
    "DISCONNECT": b"\xe0\x00",
    "type 15": b"\xf0\x00",
    "PUBACK with flags": b"\x42\x02\x00\x01",
    "PUBACK too short": b"\x40\x01\x00\x00",
    "PUBACK too long": b"\x40\x03\x00\x01\x00",
    "PUBACK of packet id 0": b"\x40\x02\x00\x00",
    "PUBACK of packet id 0 in pieces": b"\xd0\x00\x40\x02\x00\x00",
    "SUBACK too short": b"\x90\x02\x00\x01\x00",
    "SUBACK of no known code": b"\x90\x03\x00\x01\x7f",
    "SUBACK of QoS 3": b"\x90\x03\x00\x01\x03",
    "UNSUBACK too long": b"\xb0\x03\x00\x01\x00",
    "PINGRESP with a body": b"\xd0\x01\x00",
    "PINGRESP with flags": b"\xd1\x00",
    "PUBLISH of QoS 2": b"\x34\x06\x00\x01a\x00\x01x",
    "PUBLISH of QoS 3": b"\x36\x06\x00\x01a\x00\x01x",
    "PUBLISH of no length": b"\x30\xff\xff\xff\xff\x01",
    "PUBLISH shorter than its topic": b"\x30\x03\x00\x05abcde",
    "PUBLISH without a body": b"\x30\x00\x00\x00\x00",
    "PUBLISH without its packet id": b"\x32\x03\x00\x01a\x00\x00",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_input_is_an_oserror_and_closes(version: str, name: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.put(1)
    bench.broker.answer = lambda *_: None
    bench.broker.inject(MALFORMED[name])
    with fails_with(EPROTO, ECONNRESET):
        bench.run_ms(2000)
    assert bench.stack.open_sockets == []
    assert bench.messages == []
    assert bench.delivery.delivered == 0


def test_a_length_without_end_is_no_hang(version: str) -> None:
    """A peer that sends length bytes faster than they are read must not be read for ever."""
    bench = SessionBench(version, latency_ms=0)
    bench.open()

    def more() -> None:
        bench.broker.inject(b"\xff" * 1000)
        if bench.world.now_ms < 5_000:
            bench.world.after_ms(0.01, more)

    bench.broker.inject(b"\x30")
    more()
    with fails_with(EPROTO):
        bench.run_ms(2000)


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 8))]
)
def test_no_input_does_more_than_end_the_connection(version: str, seed: int) -> None:
    """8 x 1,250 seeded streams of spoilt packets, as CONNACK or after it."""
    bench = SessionBench(version, PORTS[seed % len(PORTS)], seed, latency_ms=1, split=0.5)
    rng = random.Random(seed)
    ends: dict[str, int] = {}
    for _ in range(1250):
        stream = mutated(rng)
        early = rng.random() < 0.3
        bench.broker.answer = lambda name, data, stream=stream, early=early: (
            stream if early and name == "CONNACK" else data if name == "CONNACK" else None
        )
        end = "lived"
        start_ms = bench.world.now_ms
        bench.put(bench.outbox.depth < 3)
        try:
            bench.open()
            if not early:
                bench.broker.inject(stream)
            bench.run_ms(100)
        except bench.module.Refused:
            end = "refused"
            assert bench.stack.open_sockets == []
        except OSError as error:
            end = str(number(error))
            assert bench.stack.open_sockets == []
        ends[end] = ends.get(end, 0) + 1
        assert bench.world.now_ms - start_ms <= 2 * TIMEOUT_MS
        bench.session.abandon()
    assert {"lived", "71", "104", "110"} <= set(ends), ends
    bench.broker.answer = None
    bench.open()
    bench.deliver()
