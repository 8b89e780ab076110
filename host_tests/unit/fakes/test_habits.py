"""Habits that no setting of Mosquitto gives it: each does what its name says, and no more."""

from typing import Any

import pytest
from rigs.broker_answers import PING, after_connect, connect, fake_answers, publish, subscribe

from fakes.habits import Habits

ACCEPTED, PONG = b"\x20\x02\x00\x00", b"\xd0\x00"
ACKNOWLEDGED, GRANTED = b"\x40\x02\x00\x01", b"\x90\x03\x00\x05\x01"
DENIED = {"publish_denied": ("t",), "subscribe_denied": ("t",)}
WAITED = b"\x00\x01t\x00\x01x"
PUBLISH = publish(b"x", 0x32, b"t")
SUBSCRIBE = subscribe(b"t")
BIG = publish(b"x" * 100, 0x32, b"t")
EARLY = connect() + PUBLISH


def answer(*steps: bytes, **habits: Any) -> tuple[bytes, bool]:
    """(what came back, whether the broker closed)."""
    got, closed = fake_answers([("a", data) for data in steps], habits=Habits(**habits))["a"]
    return b"".join(got), closed


@pytest.mark.parametrize("packet", [PUBLISH, SUBSCRIBE])
def test_it_closes_on_what_is_denied_and_had_answered_what_came_before(packet: bytes) -> None:
    habits: dict[str, Any] = {**DENIED, "on_publish": "close", "on_subscribe": "close"}
    assert answer(connect(), PING + packet, **habits) == (ACCEPTED + PONG, True)
    allowed = answer(connect(), publish(b"x", 0x32, b"other"), **habits)
    assert allowed == (ACCEPTED + ACKNOWLEDGED, False)


@pytest.mark.parametrize("packet", [PUBLISH, SUBSCRIBE])
def test_it_never_answers_what_is_denied_and_all_the_rest(packet: bytes) -> None:
    habits: dict[str, Any] = {**DENIED, "on_publish": "ignore", "on_subscribe": "ignore"}
    assert answer(connect(), packet + PING, **habits) == (ACCEPTED + PONG, False)


def test_it_answers_early_packets_before_connack() -> None:
    assert answer(EARLY, early="answer") == (ACKNOWLEDGED + ACCEPTED, False)
    assert answer(connect(), PUBLISH, early="answer") == (ACCEPTED + ACKNOWLEDGED, False)


def test_it_drops_early_packets_and_takes_later_ones() -> None:
    assert answer(EARLY, PING, early="drop") == (ACCEPTED + PONG, False)
    assert answer(connect(), PUBLISH, early="drop") == (ACCEPTED + ACKNOWLEDGED, False)


def test_it_never_answers_a_connect_that_bytes_follow() -> None:
    assert answer(EARLY, PING, early="hang") == (b"", False)
    assert answer(connect(), PUBLISH, early="hang") == (ACCEPTED + ACKNOWLEDGED, False)


@pytest.mark.parametrize(("count", "closed"), [(2, False), (3, True)])
def test_it_closes_on_more_early_packets_than_its_limit(count: int, closed: bool) -> None:
    assert answer(connect() + count * PUBLISH, early_max=2) == (
        ACCEPTED + 2 * ACKNOWLEDGED,
        closed,
    )


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_reset_destroys_connack_where_the_port_forgets_what_came_before_it(port: str) -> None:
    steps = [("a", EARLY + BIG)]
    limited = Habits(packet_max=50, unread_resets=True)
    got, closed = fake_answers(steps, port=port, habits=limited)["a"]
    assert closed
    assert b"".join(got) == (b"" if port == "rp2" else ACCEPTED + ACKNOWLEDGED)


@pytest.mark.parametrize(("delay_ms", "step"), [(0, 0), (250, 2)])
def test_what_waited_comes_late(delay_ms: int, step: int) -> None:
    answers = resumed(queue_delay_ms=delay_ms)
    assert [index for index, part in enumerate(answers) if WAITED in part] == [step]


@pytest.mark.parametrize("retain", [False, True])
def test_what_waited_is_marked_as_retained(retain: bool) -> None:
    (packet,) = [part for part in resumed(queue_retain=retain) if WAITED in part]
    assert (
        packet == b"\x20\x02\x01\x00" + (b"\x33" if retain else b"\x32") + b"\x06" + WAITED + PONG
    )


def resumed(**habits: Any) -> list[bytes]:
    """What a session for which PUBLISH has waited is sent, in steps of 100 ms."""
    steps: list[tuple[str, bytes | None]] = [
        ("a", connect(clean=False) + SUBSCRIBE),
        ("a", None),
        ("b", connect(b"other") + PUBLISH),
        ("c", connect(clean=False) + PING),
        *4 * [("c", PING)],
    ]
    return fake_answers(steps, habits=Habits(**habits))["c"][0]


def test_one_publish_gets_lost_and_is_neither_taken_nor_answered() -> None:
    got, closed = answer(*[data for _, data in after_connect(PUBLISH)], lost_publish=1.0)
    assert (got, closed) == (ACCEPTED + PONG, False)
    assert GRANTED in answer(connect(), SUBSCRIBE, lost_publish=1.0)[0]
