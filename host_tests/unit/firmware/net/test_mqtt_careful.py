"""Finding out which packet a broker closes on: what is held back, counted, left out, and kept."""

import json
from typing import Any

import pytest
from rigs.session import TIMEOUT_MS, VERSIONS, SessionBench, fails_with

from fakes.habits import Habits
from firmware.net.mqtt_careful import Careful

ECONNRESET, ETIMEDOUT = 104, 110
QUARTER_MS = 900_000  # of an hour: for so long it is left out at first
DAY_MS = 86_400_000


@pytest.fixture(params=VERSIONS)
def bench(request: pytest.FixtureRequest) -> SessionBench:
    made = SessionBench(request.param)
    made.session.log = lambda text: None
    return made


def be_careful(bench: SessionBench, state: Any = None) -> Careful:
    """As the recovery does after a connection that ended."""
    lines: list[str] = []
    bench.session.log = lines.append
    made = Careful(bench.session, lambda: bench.world.now_ms, lines.append, state)
    bench.session.careful = made
    return made


def extras(bench: SessionBench) -> list[str]:
    """Topics that the broker got, but for readings."""
    topics = [one.topic for one in bench.broker.records]
    return [topic for topic in topics if not topic.endswith("telemetry")]


def run(bench: SessionBench, run_ms: int = 1000) -> None:
    """As a node does, it looks at once at a session that was opened."""
    bench.session.poll()
    bench.run_ms(run_ms)


def end(bench: SessionBench, run_ms: int = 1000) -> None:
    """The connection runs until the broker has ended it."""
    with fails_with(ECONNRESET, ETIMEDOUT):
        run(bench, run_ms)
    bench.session.abandon()


def test_readings_go_first_and_then_each_extra_alone_with_an_answer_behind_it(
    bench: SessionBench,
) -> None:
    be_careful(bench)
    readings = bench.put(200)
    answered: list[str] = []

    def note(name: str, data: bytes) -> bytes:
        answered.append(name)
        return data

    bench.broker.answer = note

    def publish_early() -> None:
        bench.publish_early()
        bench.session.publish(b"a", b"1", True, 0)
        bench.session.publish(b"b", b"2", True, 1)
        bench.session.subscribe(b"c")
        bench.session.publish(b"d", b"3")

    bench.session.open(publish_early)
    assert bench.session.waits()
    run(bench)
    assert bench.arrived == readings
    assert extras(bench) == ["a", "b", "d"]
    behind = answered[1 + len(readings) :]
    assert [one for one in behind if one != "PUBLISH"][-4:] == [
        "PINGRESP",
        "PUBACK",
        "SUBACK",
        "PINGRESP",
    ]
    assert not bench.session.waits()


def test_of_what_is_held_only_the_newest_retained_one_counts_and_there_is_a_bound(
    bench: SessionBench,
) -> None:
    careful = be_careful(bench)
    bench.open()
    for number in range(20):
        bench.session.publish(b"health", b"%d" % number, True)
        bench.session.subscribe(b"cmd")
    assert [(topic, body) for _, topic, body in careful.held] == [
        (b"health", b"19"),
        (b"cmd", b"\1"),
    ]
    for number in range(14):
        bench.session.publish(b"result", b"%d" % number, False, 1)
    with fails_with(ETIMEDOUT):
        bench.session.publish(b"result", b"one too many", False, 1)
    run(bench, 2000)
    assert extras(bench) == ["health"] + 14 * ["result"]


def test_what_was_held_on_a_connection_that_ended_is_held_no_more(bench: SessionBench) -> None:
    """Whoever wants it sent says so again on the next one."""
    careful = be_careful(bench)
    bench.open()
    bench.session.publish(b"health", b"1", True)
    assert careful.held
    careful.ended(ECONNRESET, True, False)
    assert not careful.held


def test_where_readings_never_pause_extras_wait_no_longer_than_half_a_minute(
    bench: SessionBench,
) -> None:
    be_careful(bench)
    bench.broker.puback_delay_ms = 1500
    bench.put(1)
    bench.open()
    bench.session.publish(b"health", b"1", True)
    for second in range(40):
        bench.put(1)
        bench.run_ms(1000)
        assert bool(extras(bench)) == (second >= 30) or second in (29, 30)


def test_an_extra_at_which_three_connections_ended_is_left_out_and_no_other(
    bench: SessionBench,
) -> None:
    careful = be_careful(bench)
    bench.broker.habits = Habits(publish_denied=("bad",), on_publish="close")
    for _ in range(3):
        bench.open()
        for topic in (b"good", b"bad", b"behind"):
            bench.session.publish(topic, b"1", True)
        end(bench)
        assert careful.ended(ECONNRESET, True, False) == "broker closes on bad"
    assert careful.decided
    assert bench.session.refused == ["bad"]
    bench.open()
    for topic in (b"good", b"bad", b"behind"):
        bench.session.publish(topic, b"1", True)
    run(bench)
    assert extras(bench) == ["good", "good", "good", "good", "behind"]
    assert not bench.session.waits()


def test_ends_with_an_answer_between_them_are_accidents(bench: SessionBench) -> None:
    careful = be_careful(bench)
    for _ in range(5):
        for how in ("ignore", "acknowledge"):
            bench.broker.habits = Habits(publish_denied=("status",), on_publish=how)
            bench.open()
            bench.session.publish(b"status", b"1", True, 1)
            if how == "acknowledge":
                run(bench, 500)
                bench.session.abandon()  # An ordinary break, with readings under way.
                bench.session.in_flight.sent = 1
                careful.ended(ETIMEDOUT, True, False)
                continue
            end(bench, 2 * TIMEOUT_MS)
            words = careful.ended(ETIMEDOUT, True, False)
            assert words == "broker does not answer status"
    assert bench.session.refused == []


def test_after_a_quarter_of_an_hour_a_message_that_nobody_publishes_again_is_tried_by_itself(
    bench: SessionBench,
) -> None:
    """A subscription is made at the start of a connection, and that may have been months ago."""
    careful = be_careful(bench)
    bench.broker.habits = Habits(subscribe_denied=("cmd",), on_subscribe="close")
    for _ in range(3):
        bench.open()
        bench.session.subscribe(b"cmd")
        end(bench)
        careful.ended(ECONNRESET, True, False)
    bench.broker.habits = Habits()
    bench.open()
    bench.session.subscribe(b"cmd")
    run(bench, QUARTER_MS - 60_000)
    assert bench.session.refused == ["cmd"]
    assert "cmd" not in bench.broker.sessions["bench"].subscriptions
    run(bench, 120_000)
    assert "cmd" in bench.broker.sessions["bench"].subscriptions
    assert bench.session.refused == []
    careful.settled()
    assert bench.session.careful is None, "there is nothing left to be careful about"


@pytest.mark.parametrize(("size", "again"), [(256, True), (257, False)])
def test_a_message_that_is_left_out_is_kept_if_it_is_small(
    bench: SessionBench, size: int, again: bool
) -> None:
    careful = be_careful(bench)
    bench.broker.habits = Habits(publish_denied=("health",), on_publish="close")
    for _ in range(3):
        bench.open()
        bench.session.publish(b"health", bytes(size), True)
        end(bench)
        careful.ended(ECONNRESET, True, False)
    bench.broker.habits = Habits()
    bench.open()
    run(bench, QUARTER_MS + 60_000)
    assert extras(bench) == ["health"] * again


def test_what_ends_connections_again_is_left_out_for_twice_as_long_and_a_day_at_most(
    bench: SessionBench,
) -> None:
    """A broker's fellow that has died is soon back; a missing permission may stay for ever."""
    bench.broker.habits = Habits(subscribe_denied=("cmd",), on_subscribe="close")
    state: Any = None
    waits_min: list[int] = []
    clock = {"ms": 0}
    while len(waits_min) < 10:
        careful = Careful(bench.session, lambda: clock["ms"], lambda _line: None, state)
        bench.session.careful = careful
        bench.open()
        bench.session.subscribe(b"cmd")
        end(bench)
        careful.ended(ECONNRESET, True, False)
        state = json.loads(json.dumps(careful.keep()))
        if "cmd" in state["left_out"]:
            waits_min.append((state["left_out"]["cmd"] - clock["ms"]) // 60_000)
            clock["ms"] = state["left_out"]["cmd"]
    assert waits_min == [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440]
    bench.broker.habits = Habits()
    bench.session.careful = Careful(bench.session, lambda: clock["ms"], lambda _line: None, state)
    bench.open()
    bench.session.subscribe(b"cmd")
    run(bench)
    bench.session.close()
    assert bench.session.careful.keep() is None, "once it was taken, the next time is a first time"


def test_the_counts_outlast_a_deep_sleep(bench: SessionBench) -> None:
    """Of a sleeper each connection is a new start."""
    bench.broker.habits = Habits(subscribe_denied=("cmd",), on_subscribe="close")
    state: Any = None
    for _ in range(3):
        careful = be_careful(bench, state)
        bench.open()
        bench.session.subscribe(b"cmd")
        end(bench)
        careful.ended(ECONNRESET, True, False)
        state = json.loads(json.dumps(careful.keep()))
        bench.sleep_deep()
        bench.session.refused = []
    careful = be_careful(bench, state)
    bench.open()
    bench.session.subscribe(b"cmd")
    bench.session.publish(b"status", b"1", True)
    run(bench)
    assert extras(bench) == ["status"]
    bench.session.close()
    kept = careful.keep()
    assert kept is not None and "cmd" in kept["left_out"]
    assert not kept["one_by_one"], "what was taken goes out at once again"


def test_what_is_never_answered_keeps_a_sleeper_awake_in_three_wakes_and_no_more(
    bench: SessionBench,
) -> None:
    """Its wake may be over before the deadline of an answer, and ends in order."""
    bench.broker.habits = Habits(publish_denied=("status",), on_publish="ignore")
    state: Any = None
    for _ in range(3):
        careful = be_careful(bench, state)
        bench.open()
        bench.session.publish(b"status", b"1", True, 1)
        run(bench, TIMEOUT_MS // 2)
        assert bench.session.waits()
        bench.session.close()
        state = json.loads(json.dumps(careful.keep()))
        bench.sleep_deep()
    assert "status" in state["left_out"]
    be_careful(bench, state)
    bench.open()
    bench.session.publish(b"status", b"1", True, 1)
    run(bench)
    assert not bench.session.waits()


def test_what_a_wake_has_no_time_for_on_a_slow_network_is_not_left_out() -> None:
    """Where a round trip takes 3 s, a wake of 15 s ends with something under way each time."""
    bench = SessionBench("lib", latency_ms=1500)
    state: Any = None
    for _ in range(6):
        careful = be_careful(bench, state)
        bench.open()
        bench.session.publish(b"status", b"1", True, 1)
        bench.session.subscribe(b"cmd")
        run(bench, 5000)
        assert extras(bench)[-1] == "status" and bench.session.waits()
        bench.session.close()
        state = json.loads(json.dumps(careful.keep()))
        bench.sleep_deep()
    assert state["left_out"] == {} and state["ends"] == {}


def test_once_all_was_taken_nothing_is_kept(bench: SessionBench) -> None:
    careful = be_careful(bench)
    bench.open()
    bench.session.publish(b"status", b"1", True)
    run(bench)
    bench.session.close()
    assert careful.keep() is None
    assert bench.session.careful is None


def connect_fails(bench: SessionBench, careful: Careful) -> None:
    with fails_with(ECONNRESET):
        bench.session.open()
    bench.session.abandon()
    careful.ended(ECONNRESET, False, False)


def test_a_will_that_the_broker_does_not_take_is_left_out_after_five_connections(
    bench: SessionBench,
) -> None:
    bench.start(will=(b"status", b"offline"))
    careful = be_careful(bench)
    bench.broker.habits = Habits(retained_max=-1)
    for _ in range(5):
        connect_fails(bench, careful)
    bench.open()
    run(bench, 100)
    assert bench.session.refused == ["the will"]
    assert bench.broker.connects[-1][1].will_topic is None


def test_a_broker_that_closes_without_the_will_too_gets_it_again(bench: SessionBench) -> None:
    """What forwards connections to a broker that is not up yet closes each of them."""
    bench.start(will=(b"status", b"offline"))
    careful = be_careful(bench)
    bench.broker.habits = Habits(packet_max=1)
    for _ in range(6):
        connect_fails(bench, careful)
    bench.broker.habits = Habits()
    bench.open()
    run(bench, 100)
    assert bench.session.refused == []
    assert bench.broker.connects[-1][1].will_topic == "status"


def test_a_refused_connection_says_nothing_of_the_will(bench: SessionBench) -> None:
    """RP2 has ECONNRESET for it, too: CONNECT has not left."""
    bench.start(will=(b"status", b"offline"))
    careful = be_careful(bench)
    for _ in range(9):
        careful.ended(ECONNRESET, False, False)
    bench.open()
    assert bench.broker.connects[-1][1].will_topic == "status"


def test_a_twin_is_suspected_after_three_ends_of_sessions_that_had_taken_everything(
    bench: SessionBench,
) -> None:
    careful = be_careful(bench)
    told: list[Any] = []
    for _ in range(3):
        bench.open()
        bench.session.publish(b"status", b"1", True, 1)
        run(bench)
        bench.broker.kick("bench")
        end(bench)
        told.append(careful.ended(ECONNRESET, True, False))
    assert told[:2] == [None, None]
    assert "does another client have this id?" in told[2]


@pytest.mark.parametrize("gathers", [False, True])
def test_no_twin_is_suspected_of_an_end_before_anything_was_tried(
    bench: SessionBench, gathers: bool
) -> None:
    """The broker had not taken everything: nobody knows what it would have ended at."""
    careful = be_careful(bench)
    for _ in range(4):
        bench.open()
        if gathers:
            bench.session.publish(b"status", b"1", True, 0)
        assert bool(careful.held) == gathers
        bench.session.abandon()
        assert careful.ended(ECONNRESET, True, False) is None


def test_a_broker_that_closes_on_readings_is_told_so_after_three_at_the_same_one(
    bench: SessionBench,
) -> None:
    careful = be_careful(bench)
    bench.put(5)
    bench.broker.habits = Habits(qos_max=0)
    told: list[Any] = []
    for _ in range(3):
        bench.open()
        end(bench)
        told.append(careful.ended(ECONNRESET, True, False))
    assert told[:2] == [None, None]
    assert "broker closes on readings" in told[2]
    assert careful.is_stuck
    bench.broker.habits = Habits()
    bench.open()
    bench.deliver()
    run(bench, 10)
    assert not careful.is_stuck
