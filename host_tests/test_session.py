"""One MQTT session against the broker in memory, on umqtt.simple old and new."""

import random
from typing import Any

import pytest
from session_bench import PORTS, TIMEOUT_MS, TOPIC, VERSIONS, SessionBench, fails_with, number

from fakes.mqtt_packets import packet
from fakes.net import Connection

ECONNRESET, ENOTCONN, EPROTO, ETIMEDOUT = 104, 107, 71, 110


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest) -> str:
    return request.param


def note_packet_ids(bench: SessionBench) -> list[int]:
    """The packet ids that the broker acknowledges from now on."""
    ids: list[int] = []

    def answer(name: str, data: bytes) -> bytes:
        if name == "PUBACK":
            ids.append(data[2] << 8 | data[3])
        return data

    bench.broker.answer = answer
    return ids


# Round trips -----------------------------------------------------------------------------------


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


def test_a_connection_that_failed_for_another_reason_does_not_cost_the_ride(version: str) -> None:
    bench = SessionBench(version)
    bench.put(5)
    bench.broker.stop("reset")
    with pytest.raises(OSError):
        bench.open()
    bench.broker.start()
    bench.broker.mute = True
    with fails_with(ETIMEDOUT):
        bench.open()
    bench.broker.mute = False
    bench.open()
    assert bench.connection.segments == 1
    assert len(bench.arrived) == 10  # the mute broker took them, too


# CONNACK ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_a_refusal_gives_the_brokers_reason(version: str, code: int) -> None:
    bench = SessionBench(version)
    bench.put(3)
    bench.broker.refuse = code
    with pytest.raises(bench.module.Refused) as refusal:
        bench.open()
    assert refusal.value.code == code
    assert "protocol identifier password authorised".split()[[1, 2, 4, 5].index(code)] in str(
        refusal.value
    )
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


# Who the client says it is ---------------------------------------------------------------------


def test_connect_carries_what_it_was_given(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.users = {"gärtner": "grün-19"}
    bench.start(
        "gewächshaus-7",
        user="gärtner",
        password="grün-19",
        keepalive_s=65_535,
        clean=False,
        will=("fieldpost/grün/status".encode(), '{"state":"weg – leider"}'.encode()),
    )
    assert bench.open() is False
    connect = bench.broker.connects[-1][1]
    assert connect.client_id == "gewächshaus-7"
    assert (connect.user, connect.password) == ("gärtner", "grün-19".encode())
    assert (connect.keepalive_s, connect.clean) == (65_535, False)
    assert connect.will_topic == "fieldpost/grün/status"
    assert connect.will_payload == '{"state":"weg – leider"}'.encode()
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


# Publishing ------------------------------------------------------------------------------------


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


def test_packet_ids_wrap_after_65535_and_skip_0(version: str) -> None:
    """Complaint 6: QoS 1 stops after 65,535 messages."""
    bench = SessionBench(version)
    bench.session.pid = 65_200
    ids = note_packet_ids(bench)
    bench.open()
    for _ in range(10):
        bench.put(100)
        bench.session.publish(b"fieldpost/bench/other", b"x", False, 1)
        bench.deliver()
    bench.run_ms(1000)
    assert ids == [(65_200 + n) % 65_535 + 1 for n in range(1010)]
    assert len(bench.arrived) == 1000
    assert bench.broker.violations == []


def test_the_window_bounds_what_is_in_flight_and_keeps_the_order(version: str) -> None:
    bench = SessionBench(version)
    bench.start(window=8)
    readings = bench.put(100)
    bench.open()
    assert bench.session.window() == 0
    while bench.outbox.depth:
        assert bench.session.in_flight <= 8
        bench.turn()
    assert bench.arrived == readings
    assert bench.broker.violations == []


# Acknowledgements ------------------------------------------------------------------------------


def test_late_acknowledgements_are_awaited_up_to_the_deadline(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.puback_delay_ms = TIMEOUT_MS - 200
    bench.open()
    bench.put(5)
    bench.delivery.pump()
    bench.session.flush()
    bench.deliver()
    bench.broker.puback_delay_ms = TIMEOUT_MS + 200
    bench.put(5)
    bench.delivery.pump()
    bench.session.flush()
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        bench.deliver()
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS + 2
    assert bench.stack.open_sockets == []


@pytest.mark.parametrize("lively", [False, True])
def test_a_puback_that_never_comes_ends_the_connection(version: str, lively: bool) -> None:
    """Complaint 1: the wait for a PUBACK never ends; here not even when all else is answered."""
    bench = SessionBench(version)
    bench.broker.answer = lambda name, data: None if name == "PUBACK" else data
    bench.open()
    if lively:
        bench.session.subscribe(b"news", 0)
        bench.broker.flood("news", 100, interval_ms=500)
    for send in (
        lambda: bench.session.publish(b"fieldpost/bench/status", b"x", True, 1),
        lambda: (bench.put(1), bench.delivery.pump()),
    ):
        start_ms = bench.world.now_ms
        send()
        bench.session.flush()
        with fails_with(ETIMEDOUT):
            bench.run_ms(60_000)
        assert TIMEOUT_MS <= bench.world.now_ms - start_ms <= TIMEOUT_MS + 600
        assert bench.stack.open_sockets == []
        bench.session.open()


def test_acknowledgements_in_any_order_free_readings_in_theirs(version: str) -> None:
    bench = SessionBench(version, seed=7)
    bench.broker.shuffle_pubacks = True
    taken: list[int] = []
    bench.open()
    inner = bench.session.on_acknowledged

    def acknowledged(count: int) -> None:
        taken.append(count)
        inner(count)

    bench.session.on_acknowledged = acknowledged
    readings = bench.put(60)
    bench.deliver()
    assert bench.arrived == readings
    assert bench.session.in_flight == 0
    assert sum(taken) == 60
    assert bench.delivery.delivered == 60


def test_duplicate_and_unknown_acknowledgements_change_nothing(version: str) -> None:
    bench = SessionBench(version)

    def answer(name: str, data: bytes) -> bytes:
        if name != "PUBACK":
            return data
        return b"\x40\x02\xff\xf0" + data * 3 + b"\x40\x02\x7f\xff"

    bench.broker.answer = answer
    bench.start(window=16)
    bench.open()
    readings = bench.put(200)
    bench.deliver()
    bench.run_ms(1000)
    assert bench.arrived == readings
    assert bench.delivery.delivered == 200
    assert bench.session.in_flight == 0


def test_an_unknown_acknowledgement_is_no_sign_of_progress(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.answer = lambda name, data: None if name == "PUBACK" else data
    bench.open()
    bench.put(3)
    for index in range(100):
        bench.world.after_ms(index * 1000, bench.broker.inject, b"\x40\x02\x7f\xff")
    start_ms = bench.world.now_ms
    with fails_with(ETIMEDOUT):
        bench.run_ms(60_000)
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS + 1100


def test_what_was_not_acknowledged_goes_out_again_with_its_packet_id_and_dup(
    version: str,
) -> None:
    """Complaint 14: duplicates, because a retry gets a new packet id."""
    bench = SessionBench(version)
    ids: list[int] = []

    def answer(name: str, data: bytes) -> bytes | None:
        if name == "PUBACK":
            ids.append(data[2] << 8 | data[3])
            return data if len(ids) <= 5 else None
        return data

    bench.broker.answer = answer
    bench.session.pid = 65_530
    readings = bench.put(10)
    bench.open()
    bench.run_ms(100)
    assert bench.outbox.depth == 5
    bench.session.abandon()
    readings += bench.put(10)
    sent_ids = note_packet_ids(bench)
    bench.open()
    bench.deliver()
    assert sent_ids == ids[5:] + [ids[-1] + n for n in range(1, 11)]
    again = [(one.payload, one.dup) for one in bench.broker.records][10:]
    assert again == [(one, index < 5) for index, one in enumerate(readings[5:])]
    assert bench.session.repeats == 5
    assert bench.broker.violations == []


def test_any_break_in_a_burst_loses_nothing_and_keeps_the_order(version: str) -> None:
    """The connection ends after every possible number of bytes, either way."""
    bench = SessionBench(version, latency_ms=1)
    bench.start(window=32)
    rng = random.Random(11)
    kinds: set[str] = set()
    for _ in range(300):
        bench.put(rng.randrange(4))
        cut = bench.net.conditions.__class__(
            latency_ms=1,
            jitter_ms=rng.choice([0, 5]),
            split=0.3,
            **{
                rng.choice(["up", "down"]): (
                    rng.randrange(300),
                    rng.choice(["reset", "close", "silence", "dead"]),
                )
            },
        )
        cut.up = cut.up and type_of_cut(*cut.up)
        cut.down = cut.down and type_of_cut(*cut.down)
        bench.net.next_conditions.append(cut)
        bench.broker.shuffle_pubacks = rng.random() < 0.3
        try:
            bench.open()
            bench.run_ms(rng.choice([5, 50, 15_000]))
            kinds.add("lived")
        except OSError as error:
            kinds.add(str(number(error)))
        bench.session.abandon()
        assert len(bench.stack.open_sockets) == 0
    bench.open()
    bench.deliver()
    unique = list(dict.fromkeys(bench.arrived))
    assert unique == sorted(unique)
    assert len(unique) == bench.outbox.end
    assert bench.delivery.delivered == bench.outbox.end
    assert {"lived", "104", "110"} <= kinds
    assert bench.broker.violations == []


def type_of_cut(at: int, how: str) -> Any:
    from fakes.net import Cut

    return Cut(at, how)


# Keepalive -------------------------------------------------------------------------------------


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


# Subscriptions and messages --------------------------------------------------------------------


def test_messages_of_qos_0_and_1_come_in_with_their_retained_flag(version: str) -> None:
    bench = SessionBench(version, split=0.5, jitter_ms=3)
    topic = "fieldpost/bench/cmd/grün"
    bench.broker.publish(topic, b"kept", 1, True)
    bench.open()
    bench.session.subscribe("fieldpost/bench/cmd/#".encode(), 1)
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


def test_a_subscription_that_is_refused_is_an_oserror(version: str) -> None:
    bench = SessionBench(version)
    refused = b"\x90\x03\x00\x01\x80"
    bench.broker.answer = lambda name, data: refused if name == "SUBACK" else data
    bench.open()
    bench.session.subscribe(b"cmd", 1)
    with fails_with(EPROTO):
        bench.run_ms(1000)
    assert bench.stack.open_sockets == []


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


def test_a_message_larger_than_the_limit_ends_the_connection(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.session.subscribe(b"cmd", 0)
    bench.run_ms(200)
    bench.broker.publish("cmd", b"x" * 5000)
    with fails_with(ECONNRESET):
        bench.run_ms(1000)
    assert bench.stack.open_sockets == []


# Malformed input -------------------------------------------------------------------------------

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
    "SUBACK of failure": b"\x90\x03\x00\x01\x80",
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


def mutated(rng: random.Random) -> bytes:
    """What a broker may send, spoilt."""
    parts = [
        b"\x20\x02\x00\x00",
        b"\x40\x02\x00\x01\x40\x02\x00\x02",
        b"\xd0\x00",
        b"\x90\x03\x00\x01\x01",
        packet(0x30, b"\x00\x03cmd" + rng.randbytes(rng.randrange(300))),
        packet(0x33, b"\x00\x03cmd\x00\x09" + rng.randbytes(rng.randrange(40))),
    ]
    data = bytearray(b"".join(rng.choices(parts, k=rng.randrange(1, 5))))
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(4)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind == 2:
            del data[at : at + rng.randrange(1, 4)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_no_input_does_more_than_end_the_connection(version: str, seed: int) -> None:
    """3 x 600 seeded streams of spoilt packets, as CONNACK or after it."""
    bench = SessionBench(version, PORTS[seed], seed, latency_ms=1, split=0.5)
    rng = random.Random(seed)
    ends: dict[str, int] = {}
    for _ in range(600):
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


# Ends ------------------------------------------------------------------------------------------


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
