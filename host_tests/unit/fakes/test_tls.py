"""The stand-in for TLS: the firmware's wire on it meets what MicroPython's TLS would tell it."""

import random
from typing import Any

import pytest
from wire_tls import TlsWire

from fakes.broker import Broker
from fakes.net import Conditions, FakeNet
from fakes.tls import BoardTls, TlsServer
from fakes.world import NodeTime, World
from firmware.net.mqtt_session import Session

FATAL_ALERT, CONN_EOF, INVALID_RECORD = -0x7780, -0x7280, -0x7200
ECONNRESET, EPROTO, ETIMEDOUT = 104, 71, 110
LATENCY_MS = 20
TIMEOUT_MS = 5000


class Bench:
    """A session over TLS to a broker behind a `TlsServer`."""

    def __init__(self, verifies: bool = True, **conditions: Any) -> None:
        self.world = World()
        net = FakeNet(self.world, random.Random(1))
        net.conditions = Conditions(latency_ms=LATENCY_MS, **conditions)
        self.broker = Broker(self.world)
        self.server = TlsServer(self.world, self.broker.accept)
        net.listen("broker", 8883, self.server.accept)
        stack = net.node("node", "esp32")
        self.wire = TlsWire(
            stack.socket,
            stack.select,
            NodeTime(self.world),
            None,
            BoardTls(self.world, verifies),
            "broker",
        )
        self.session = Session(self.wire, "node", "broker", 8883, timeout_ms=TIMEOUT_MS)

    def publish(self, count: int) -> None:
        self.session.open()
        for number in range(count):
            self.session.publish(b"t", b"%d" % number, False, 1)
            self.session.flush()
        while self.session.waits():
            self.wire.wait(100)
            self.session.poll()


def test_a_handshake_costs_two_round_trips_and_the_work_of_the_processor() -> None:
    bench = Bench()
    bench.session.open()
    trips = 5  # the look-up, TCP, two of TLS, MQTT
    assert bench.world.now_ms == trips * 2 * LATENCY_MS + BoardTls.WORK_MS
    assert bench.server.handshakes == 1
    assert not bench.wire.handshaking


@pytest.mark.parametrize("pieces", [False, True])
def test_messages_pass_whole_and_in_order_also_in_pieces(pieces: bool) -> None:
    bench = Bench(**({"split": 0.5, "partial": 0.5} if pieces else {}))
    bench.publish(10)
    assert [one.payload for one in bench.broker.records] == [b"%d" % n for n in range(10)]
    assert bench.broker.violations == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("alert", FATAL_ALERT),
        ("close", CONN_EOF),
        ("reset", ECONNRESET),
        ("plain", INVALID_RECORD),
        ("silence", ETIMEDOUT),
        ("forged", EPROTO),
    ],
)
def test_each_way_to_fail_has_the_error_that_micropython_gives(fault: str, error: int) -> None:
    bench = Bench()
    bench.server.fault = fault
    with pytest.raises(OSError) as caught:
        bench.session.open()
    assert caught.value.args[0] == error
    assert bench.wire.handshaking
    assert bench.broker.connects == []
    bench.server.fault = None
    bench.publish(1)
    assert len(bench.broker.records) == 1


def test_a_forged_certificate_is_taken_where_nothing_is_verified() -> None:
    bench = Bench(verifies=False)
    bench.server.fault = "forged"
    bench.publish(1)
    assert len(bench.broker.records) == 1


@pytest.mark.parametrize(("delay_ms", "fails"), [(2000, False), (3000, True)])
def test_a_slow_handshake_ends_within_the_deadline(delay_ms: int, fails: bool) -> None:
    bench = Bench()
    bench.server.delay_ms = lambda: delay_ms  # before each of two flights
    if fails:
        with pytest.raises(OSError) as caught:
            bench.session.open()
        assert caught.value.args[0] == ETIMEDOUT
        assert bench.world.now_ms <= TIMEOUT_MS + BoardTls.WORK_MS
    else:
        bench.session.open()


def test_the_broker_hears_when_a_connection_ends_and_tells_when_it_ends_one() -> None:
    bench = Bench()
    bench.session.open()
    bench.broker.kick("node", "close")
    with pytest.raises(OSError) as caught:
        bench.wire.wait(1000)
        bench.session.poll()
    assert caught.value.args[0] == ECONNRESET
    bench.session.open()
    bench.session.close()
    bench.world.sleep_ms(100)
    assert bench.broker.clients == {}
