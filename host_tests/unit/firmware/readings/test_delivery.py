"""From the outbox to the broker: nothing is acknowledged that did not arrive, whatever breaks."""

import random

import pytest
from rigs.session import PORTS, VERSIONS, SessionBench, fails_with

from fakes.flash import FakeFlash
from fakes.net import Conditions, Cut
from firmware.readings.outbox import Outbox

ETIMEDOUT = 110


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


def numbers(payloads: list[bytes]) -> list[int]:
    """The numbers of readings, each where it arrived first."""
    return [int(one[:6]) for one in dict.fromkeys(payloads)]


def test_what_waits_arrives_in_order_and_leaves_the_outbox(version: str) -> None:
    bench = SessionBench(version)
    bench.put(1200)  # more than the window, more than one step
    bench.open()
    bench.deliver()
    assert numbers(bench.arrived) == list(range(1200))
    assert len(bench.arrived) == 1200
    assert bench.delivery.delivered == 1200


def test_one_step_gathers_a_bounded_number(version: str) -> None:
    bench = SessionBench(version)
    bench.open()
    bench.put(200)
    assert bench.delivery.pump() is True
    bench.session.flush()
    bench.time.sleep_ms(30)
    assert len(bench.arrived) == 64
    while bench.delivery.pump():
        pass
    bench.session.flush()
    bench.deliver()
    assert bench.delivery.pump() is False


def test_readings_that_were_dropped_while_away_are_skipped_once(version: str) -> None:
    """A connection that fails after the skipping must not make the next one skip again: that
    would acknowledge as many readings that never arrived."""
    bench = SessionBench(version)
    bench.outbox = Outbox(None, None, 20)
    bench.start()
    bench.put(30)
    assert bench.outbox.dropped == 10
    bench.broker.mute = True
    for _ in range(3):
        with fails_with(ETIMEDOUT):
            bench.open()
    bench.broker.mute = False
    bench.arrived.clear()
    bench.broker.answer = lambda name, data: None if name == "PUBACK" else data
    bench.open()
    bench.run_ms(500)
    assert bench.outbox.depth == 20  # nothing was acknowledged yet
    bench.session.abandon()
    bench.broker.answer = None
    bench.arrived.clear()
    bench.open()
    bench.deliver()
    assert numbers(bench.arrived) == list(range(10, 30))
    assert bench.delivery.delivered == 20


def test_readings_dropped_while_in_flight_do_not_shift_the_acknowledgements(version: str) -> None:
    bench = SessionBench(version)
    bench.outbox = Outbox(None, None, 20)
    bench.start()
    bench.put(20)
    bench.broker.puback_delay_ms = 3000
    bench.open()
    bench.put(15)  # 0 to 14 go, while the broker thinks about 0 to 19
    bench.deliver()
    assert numbers(bench.arrived) == list(range(35))
    assert bench.outbox.dropped == 15
    bench.put(1)
    bench.deliver()
    assert numbers(bench.arrived) == list(range(36))


def test_a_spoilt_record_costs_itself_and_no_other(version: str) -> None:
    flash = FakeFlash()
    bench = SessionBench(version)
    bench.outbox = Outbox(flash, "outbox", 4, 16)
    bench.outbox.write_through = True
    bench.start()
    bench.put(200, size=60)
    name = sorted(one for one in flash.files if one.endswith(".seg"))[1]
    spoilt = bytearray(flash.files[name])
    spoilt[100] ^= 0xFF
    flash.files[name] = bytes(spoilt)
    bench.open()
    bench.deliver()
    arrived = numbers(bench.arrived)
    assert arrived == sorted(arrived)
    assert bench.outbox.corrupt == 200 - len(arrived)
    assert bench.delivery.delivered == len(arrived)
    bench.put(5)
    bench.deliver()
    assert numbers(bench.arrived)[-5:] == list(range(200, 205))


@pytest.mark.parametrize("seed", range(6))
def test_what_the_outbox_lets_go_has_arrived_or_was_dropped_by_policy(seed: int) -> None:
    """120 connections that end anyhow, an outbox that overflows now and then."""
    rng = random.Random(seed)
    bench = SessionBench("lib", PORTS[seed % 3], seed, latency_ms=1)
    flash = FakeFlash(rng=random.Random(seed))
    if seed % 2:
        bench.outbox = Outbox(flash, "outbox", 8, 2)
    else:
        bench.outbox = Outbox(None, None, 60)
    bench.outbox.write_through = bool(seed % 4 == 1)
    bench.start(window=rng.choice([4, 50, 512]))
    lost: set[int] = set()
    sent: set[int] = set()
    publish = bench.session.publish_reading

    def publish_reading(topic: bytes, payload: bytes) -> None:
        sent.add(int(payload[:6]))
        publish(topic, payload)

    bench.session.publish_reading = publish_reading
    for _ in range(120):
        bench.put(rng.choice([0, 0, 1, 3, 10, 40]))
        way = {}
        if rng.random() < 0.8:
            how = rng.choice(["reset", "close", "silence", "dead"])
            way[rng.choice(["up", "down"])] = Cut(rng.randrange(1500), how)
        bench.net.next_conditions.append(Conditions(latency_ms=1, split=0.2, **way))
        bench.broker.shuffle_pubacks = rng.random() < 0.2
        try:
            bench.open()
            for _ in range(rng.randrange(4)):
                bench.put(rng.choice([0, 1, 30]))
                bench.run_ms(rng.choice([1, 10, 100, 11_000]))
        except OSError:
            pass
        if rng.random() < 0.5:
            bench.session.abandon()
        else:
            bench.session.close()
        gone = set(range(bench.outbox.first)) - set(numbers(bench.arrived))
        assert len(gone) <= bench.outbox.dropped
        # Dropped while on its way it may yet arrive; what was never sent does not come back.
        assert lost - gone <= sent
        lost = gone
    bench.net.conditions.split = 0
    bench.open()
    bench.deliver()
    arrived = numbers(bench.arrived)
    assert arrived == sorted(arrived)
    assert len(arrived) >= bench.outbox.end - bench.outbox.dropped
    assert bench.session.in_flight.count == 0
    assert bench.broker.violations == []
