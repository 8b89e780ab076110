"""QoS 1 readings in flight: their window, packet ids and acknowledgements, over any break."""

import random

import pytest
from rigs.session import PORTS, TIMEOUT_MS, VERSIONS, SessionBench, fails_with, number

from fakes.net import Conditions, Cut
from firmware.net.mqtt_in_flight import InFlight

ETIMEDOUT = 110


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


def test_there_is_room_for_64_at_first_and_for_twice_as_many_when_that_is_full() -> None:
    """A packet id takes two bytes of heap, and most nodes never have more than a few."""
    flight = InFlight(300)
    sizes = []
    for pid in range(300):
        assert flight.room() > 0
        flight.add(pid)
        sizes.append(len(flight.ids))
    assert sorted(set(sizes)) == [64, 128, 256, 300]
    assert [sizes.index(size) for size in (64, 128, 256, 300)] == [0, 64, 128, 256]
    full = flight.ids
    assert flight.room() == 0
    assert flight.ids is full, "what is as large as it may be is not made anew"


def test_the_window_bounds_what_is_in_flight_and_keeps_the_order(version: str) -> None:
    bench = SessionBench(version)
    bench.start(window=8)
    readings = bench.put(100)
    bench.open()
    assert bench.session.in_flight.room() == 0
    while bench.outbox.depth:
        assert bench.session.in_flight.count <= 8
        bench.turn()
    assert bench.arrived == readings
    assert bench.broker.violations == []


@pytest.mark.parametrize("first", range(5))
def test_one_that_is_skipped_is_the_next_to_go_out_again_and_no_other(first: int) -> None:
    """It was dropped by the outbox between two connections."""
    flight = InFlight(5)
    for pid in range(1, first + 1):  # The ring begins elsewhere.
        flight.add(pid)
        assert flight.acknowledge(pid)
    for pid in (11, 12, 13, 14):
        flight.add(pid)
    flight.sent = 0  # A new connection.
    assert flight.again() == 11
    flight.skip()
    assert flight.again() == 13
    assert (flight.count, flight.sent) == (4, 3)
    assert not flight.acknowledge(12), "it did not go out"
    assert flight.acknowledge(11)
    assert (flight.count, flight.sent, flight.done) == (2, 1, first + 2)
    assert flight.acknowledge(13) and flight.again() == 14 and flight.acknowledge(14)
    assert (flight.count, flight.sent, flight.done) == (0, 0, first + 4)


def test_a_reading_in_quiet_times_costs_one_segment(version: str) -> None:
    bench = SessionBench(version)
    bench.put(30)
    bench.open()
    bench.run_ms(1000)
    segments = bench.connection.segments
    for _ in range(20):
        bench.put(1)
        bench.run_ms(5000)
    assert bench.outbox.depth == 0
    assert bench.connection.segments - segments == 20


@pytest.mark.parametrize("early", [True, False])
def test_answers_that_a_broker_holds_back_are_asked_for(version: str, early: bool) -> None:
    """Nagle's algorithm at the broker: after its first small segment it waits for an
    acknowledgement, which TCP on a board delays for 250 ms unless something is to be sent."""
    bench = SessionBench(version)
    held: list[bytes] = []
    may_answer = True

    def answer(name: str, data: bytes) -> bytes | None:
        nonlocal may_answer
        if name == "PUBACK" and not may_answer:
            held.append(data)
            return None
        if name == "PINGRESP":
            data = b"".join(held) + data
            held.clear()
        # CONNACK is answered by the readings, if they did not come with CONNECT.
        may_answer = name == "CONNACK" and not early
        return data

    bench.broker.answer = answer
    bench.start(early=early)
    bench.open()
    bench.session.close()
    bench.put(20)
    start_ms = bench.world.now_ms
    bench.open()
    bench.deliver()
    trips = 3 if early else 4
    assert bench.connection.round_trips == trips
    assert bench.world.now_ms - start_ms <= trips * 50 + 10
    assert held == []


@pytest.mark.parametrize("early", [True, False])
def test_readings_that_are_answered_at_once_cost_no_ping(version: str, early: bool) -> None:
    bench = SessionBench(version)
    bench.start(early=early)
    bench.put(20)
    bench.open()
    bench.deliver()
    bench.run_ms(1000)
    assert bench.connection.segments == (1 if early else 2)


def test_messages_beside_the_readings_are_bounded_too(version: str) -> None:
    bench = SessionBench(version)
    bench.broker.answer = lambda name, data: None if name == "PUBACK" else data
    bench.open()
    for _ in range(16):
        bench.session.publish(b"fieldpost/bench/cmd/result", b"{}", False, 1)
    with fails_with(ETIMEDOUT):
        bench.session.publish(b"fieldpost/bench/cmd/result", b"{}", False, 1)
    assert bench.stack.open_sockets == []


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
    assert bench.session.in_flight.count == 0
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
    assert bench.session.in_flight.count == 0


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
        cut = Cut(rng.randrange(300), rng.choice(["reset", "close", "silence", "dead"]))
        way = {rng.choice(["up", "down"]): cut}
        trouble = Conditions(latency_ms=1, jitter_ms=rng.choice([0, 5]), split=0.3, **way)
        bench.net.next_conditions.append(trouble)
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
