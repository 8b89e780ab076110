"""The fake broker: strict with its clients, faulty on demand, exact about what it recorded."""

import random
from typing import Any

import pytest

from fakes.broker import Broker
from fakes.mqtt_packets import matches as topic_matches
from fakes.mqtt_packets import packet, topic_filter
from fakes.net import Conditions, FakeNet
from fakes.world import World

PING, PONG, BYE = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"
ACCEPTED = b"\x20\x02\x00\x00"


def string(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def connect(
    client: str = "node", flags: int = 2, keepalive_s: int = 0, extra: bytes = b""
) -> bytes:
    head = string("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    return packet(0x10, head + string(client) + extra)


def publish(payload: bytes, qos: int = 1, pid: int = 1, first: int = 0x30) -> bytes:
    identifier = pid.to_bytes(2, "big") if qos else b""
    return packet(first | qos << 1, string("t") + identifier + payload)


def puback(pid: int) -> bytes:
    return b"\x40\x02" + pid.to_bytes(2, "big")


class Bench:
    def __init__(self, **options: Any) -> None:
        self.world = World()
        self.net = FakeNet(self.world, random.Random(3))
        self.net.conditions = Conditions(latency_ms=1)
        self.broker = Broker(self.world, random.Random(3), **options)
        self.broker.serve(self.net)
        self.stack = self.net.node("node", "esp32")
        self.sockets: dict[str, Any] = {}

    def say(self, data: bytes, who: str = "a", wait_ms: int = 10) -> bytes | None:
        """Send, and return what comes back; None: nothing did; b"": the broker closed."""
        if who not in self.sockets:
            sock = self.sockets[who] = self.stack.socket.socket()
            sock.connect((self.net.address("broker"), 1883))
            sock.setblocking(False)
        if data:
            self.sockets[who].write(data)
        return self.hear(who, wait_ms)

    def hear(self, who: str = "a", wait_ms: int = 10) -> bytes | None:
        self.world.sleep_ms(wait_ms)
        return self.sockets[who].read(100_000)


MALFORMED = {
    "a packet before CONNECT": (None, PING),
    "wrong protocol name": (None, packet(0x10, string("MQXX") + b"\x04\x02\0\0" + string("n"))),
    "reserved CONNECT flag": (None, connect(flags=3)),
    "inconsistent will flags": (None, connect(flags=0x0A)),
    "password without user": (None, connect(flags=0x42, extra=string("p"))),
    "packet too short": (None, packet(0x10, string("MQTT") + b"\x04")),
    "bytes after the end of the packet": (None, connect(extra=b"more")),
    "a second CONNECT": (connect(), connect()),
    "reserved flags": (connect(), b"\xc1\x00"),
    "bad remaining length": (connect(), b"\x30\xff\xff\xff\xff\x01"),
    "packet id 0": (connect(), publish(b"x", pid=0)),
    "DUP on QoS 0": (connect(), publish(b"x", qos=0, first=0x38)),
    "QoS 3": (connect(), publish(b"x", qos=3)),
    "topic with a wildcard": (connect(), packet(0x30, string("a/+") + b"x")),
    "empty topic": (connect(), packet(0x30, string("") + b"x")),
    "not UTF-8": (connect(), packet(0x30, b"\x00\x02\xc3\x28" + b"x")),
    "a control or non-character in a string": (connect(), packet(0x30, b"\x00\x01\x00" + b"x")),
    "bad topic filter": (connect(), packet(0x82, b"\x00\x01" + string("a#") + b"\x00")),
    "SUBSCRIBE without a topic filter": (connect(), packet(0x82, b"\x00\x01")),
    "bad QoS in SUBSCRIBE": (connect(), packet(0x82, b"\x00\x01" + string("a") + b"\x03")),
    "packet type 15 from a client": (connect(), b"\xf0\x00"),
    "packet too large": (connect(), b"\x30\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("reason", MALFORMED)
def test_a_malformed_packet_closes_the_connection_and_is_named(reason: str) -> None:
    bench = Bench()
    before, bad = MALFORMED[reason]
    if before:
        assert bench.say(before) == ACCEPTED
    assert bench.say(bad) == b""
    assert [one.reason for one in bench.broker.violations] == [reason]
    assert bench.broker.clients == {}


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_connect_is_refused_with_each_code_and_what_rode_along_is_not_taken(code: int) -> None:
    bench = Bench(refuse=code)
    assert bench.say(connect() + publish(b"x")) == bytes((0x20, 2, 0, code))
    assert bench.hear() == b""
    assert not bench.broker.records


def test_users_are_checked() -> None:
    bench = Bench(users={"reader": "secret"})
    good = connect(flags=0xC2, extra=string("reader") + string("secret"))
    bad = connect(flags=0xC2, extra=string("reader") + string("guess"))
    assert bench.say(good, "good") == ACCEPTED
    assert bench.say(bad, "bad") == b"\x20\x02\x00\x05"
    assert bench.say(connect(), "nobody") == b"\x20\x02\x00\x05"


def test_early_packets_are_taken_or_refused() -> None:
    early = connect() + publish(b"x")
    assert Bench().say(early) == ACCEPTED + puback(1)
    bench = Bench(early=False)
    assert bench.say(early) == ACCEPTED
    assert bench.hear() == b""
    assert [one.reason for one in bench.broker.violations] == ["a packet before CONNACK"]
    assert bench.say(connect(), "b") == ACCEPTED
    assert bench.say(publish(b"x"), "b") == puback(1)


def test_nothing_overtakes_a_late_connack() -> None:
    bench = Bench(connack_delay_ms=500)
    assert bench.say(connect() + publish(b"x")) is None
    assert bench.say(publish(b"y", pid=2)) is None
    assert bench.hear(wait_ms=500) == ACCEPTED + puback(1) + puback(2)


def test_pubacks_come_late_in_another_order_or_not_at_all() -> None:
    many = b"".join(publish(b"x", pid=pid) for pid in range(1, 9))
    in_order = b"".join(puback(pid) for pid in range(1, 9))
    bench = Bench(puback_delay_ms=200)
    assert bench.say(connect() + many) == ACCEPTED
    assert bench.hear(wait_ms=200) == in_order
    bench = Bench(shuffle_pubacks=True)
    answer = bench.say(connect() + many)
    assert answer != ACCEPTED + in_order
    assert {answer[i : i + 4] for i in range(4, 36, 4)} == {puback(n) for n in range(1, 9)}
    bench = Bench(mute=True)
    assert bench.say(connect() + many) is None
    assert len(bench.broker.records) == 8


def test_answers_can_be_replaced_or_left_out() -> None:
    bench = Bench()
    bench.broker.answer = {"CONNACK": b"\x20\x01\x00", "PUBACK": None}.get
    assert bench.say(connect() + publish(b"x") + PING) == b"\x20\x01\x00" + PONG
    bench.broker.inject(b"\xff\xff", "node")
    assert bench.hear() == b"\xff\xff"


def test_keepalive_is_enforced_at_one_and_a_half_times_and_the_will_published() -> None:
    bench = Bench()
    ends: list[int] = []
    bench.broker.watch("#", lambda record: ends.append(record.time_us // 1000))
    will = string("t/will") + string("gone")
    assert bench.say(connect(flags=0x06, keepalive_s=10, extra=will)) == ACCEPTED
    assert bench.say(PING, wait_ms=14_990) == PONG
    last_ms = bench.world.now_ms - 14_990 + 1
    assert ends == []
    assert bench.hear(wait_ms=20) == b""
    assert ends == [last_ms + 15_000]
    assert bench.broker.records[-1].payload == b"gone"


def test_the_same_client_id_takes_over() -> None:
    bench = Bench()
    assert bench.say(connect()) == ACCEPTED
    assert bench.say(connect(), "b") == ACCEPTED
    assert bench.hear() == b""
    assert bench.say(PING, "b") == PONG
    bench.broker.kick("node")
    with pytest.raises(OSError):
        bench.hear("b")


@pytest.mark.parametrize("keep", [True, False])
def test_a_restart_keeps_or_loses_the_sessions(keep: bool) -> None:
    bench = Bench()
    subscribe = packet(0x82, b"\x00\x05" + string("t") + b"\x01")
    bench.say(connect(flags=0) + subscribe)
    bench.broker.publish("t", b"unanswered", qos=1)
    assert bench.hear() == packet(0x32, string("t") + b"\x00\x01unanswered")
    bench.broker.stop()
    with pytest.raises(OSError):
        bench.hear()
    bench.broker.start(keep_sessions=keep)
    bench.broker.publish("t", b"while away", qos=1)
    answer = bench.say(connect(flags=0), "b")
    if keep:
        again = packet(0x3A, string("t") + b"\x00\x01unanswered")
        assert answer == b"\x20\x02\x01\x00" + again + packet(
            0x32, string("t") + b"\x00\x02while away"
        )
    else:
        assert answer == ACCEPTED


def test_messages_in_flight_are_bounded_and_so_is_the_queue() -> None:
    bench = Bench(inflight=2, queue=3)
    bench.say(connect() + packet(0x82, b"\x00\x05" + string("t") + b"\x01"))
    for number in range(7):
        bench.broker.publish("t", b"%d" % number, qos=1)
    one = len(packet(0x32, string("t") + b"\x00\x010"))
    assert len(bench.hear()) == 2 * one
    assert bench.broker.dropped == 2
    assert bench.say(puback(1)) == packet(0x32, string("t") + b"\x00\x032")


def test_a_flood_arrives() -> None:
    bench = Bench()
    bench.say(connect() + packet(0x82, b"\x00\x05" + string("f") + b"\x00"))
    bench.broker.flood("f", count=50, size=200, interval_ms=1)
    flood = bench.hear(wait_ms=100)
    assert flood.count(b"\x00\x01f") == 50


def test_records_and_watches_see_every_message_once() -> None:
    bench = Bench()
    seen: list[tuple[str, bytes]] = []
    end = bench.broker.watch("t", lambda record: seen.append((record.client, record.payload)))
    bench.say(connect() + publish(b"a") + publish(b"b", pid=2, first=0x38) + publish(b"c", 0))
    end()
    bench.say(publish(b"d", 0))
    assert seen == [("node", b"a"), ("node", b"b"), ("node", b"c")]
    assert [(one.payload, one.qos, one.dup) for one in bench.broker.records] == [
        (b"a", 1, False),
        (b"b", 1, True),
        (b"c", 0, False),
        (b"d", 0, False),
    ]


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("+/+", "/b", True),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)
def test_topic_filters(pattern: str, topic: str, expected: bool) -> None:
    assert topic_filter(pattern.encode()) == pattern
    assert topic_matches(pattern, topic) is expected


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError):
        Broker(World(), retian=True)
