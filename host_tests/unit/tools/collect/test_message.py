"""What a message is to a store, whatever a stranger publishes."""

from __future__ import annotations

import json

import pytest

from fieldpost.collect.message import Message, Reader
from fieldpost.store.rows import Event, Reading, Rejected

READER = Reader("site/fieldpost")


def read(topic: str, payload: bytes | str):
    data = payload.encode() if isinstance(payload, str) else payload
    return READER.read(Message(f"site/fieldpost/{topic}", data, 7.0))


def test_a_reading_is_told_from_what_it_measured() -> None:
    text = '{"boot":3,"seq":41,"ts":1795368917,"temperature":21.5,"failed":["bme"]}'
    assert read("n/telemetry", text) == Reading(
        "n",
        3,
        41,
        1795368917,
        None,
        7.0,
        text.encode(),
        '{"failed":["bme"],"temperature":21.5}',
    )


def test_a_reading_without_a_time_has_its_age() -> None:
    one = read("n/telemetry", '{"boot":3,"seq":0,"age_s":12}')
    assert isinstance(one, Reading)
    assert (one.ts, one.age_s, one.fields) == (None, 12, "{}")


@pytest.mark.parametrize(
    ("topic", "kind"),
    [("status", "status"), ("health", "health"), ("cmd/result", "result"), ("update", "update")],
)
def test_what_a_node_tells_of_itself_is_an_event(topic: str, kind: str) -> None:
    told = read(f"n/{topic}", '{"state": "online", "a": 1}')
    assert told == Event("n", kind, 7.0, '{"a":1,"state":"online"}')
    assert read(f"n/{topic}", "") == Event("n", kind, 7.0, None)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("n/telemetry", "no json"),
        ("n/telemetry", ""),
        ("n/telemetry", b"\xff"),
        ("n/telemetry", "[1]"),
        ("n/telemetry", '{"boot":1}'),
        ("n/telemetry", '{"boot":true,"seq":1}'),
        ("n/telemetry", '{"boot":-1,"seq":1}'),
        ("n/telemetry", '{"boot":1,"seq":9223372036854775808}'),
        ("n/telemetry", '{"boot":1,"seq":1,"ts":"now"}'),
        ("n/telemetry", '{"boot":1,"seq":1,"ts":1e300}'),
        ("n/telemetry", '{"boot":1,"seq":1,"x":NaN}'),
        ("n/telemetry", '{"boot":1,"seq":1,"x":' + "[" * 50 + "]" * 50 + "}"),
        ("x" * 65 + "/telemetry", '{"boot":1,"seq":1}'),
        ("a\nb/telemetry", '{"boot":1,"seq":1}'),
        ("/telemetry", '{"boot":1,"seq":1}'),
        ("n/other", "{}"),
        ("n/status", "online"),
    ],
)
def test_the_rest_is_rejected_with_a_reason(topic: str, payload: bytes | str) -> None:
    one = read(topic, payload)
    assert isinstance(one, Rejected) and one.why
    assert one.size == len(payload)


def test_of_what_is_too_long_the_beginning_is_kept() -> None:
    one = read("n/telemetry", "x" * 1_000_000)
    assert isinstance(one, Rejected) and (len(one.payload), one.size) == (65_536, 1_000_000)


def test_a_topic_of_others_is_rejected() -> None:
    assert isinstance(READER.read(Message("else/n/telemetry", b"{}", 7.0)), Rejected)
    assert isinstance(READER.read(Message("", b"{}", 7.0)), Rejected)


def test_characters_that_no_database_keeps_are_replaced_and_the_others_are_not() -> None:
    text = '{"boot":1,"seq":1,"a":"x\\u0000y","b":"\\ud800","c":"\\ud83d\\ude00 ü"}'
    one = read("n/telemetry", text)
    assert isinstance(one, Reading) and one.payload == text.encode()
    assert json.loads(one.fields) == {"a": "x\ufffdy", "b": "?", "c": "😀 ü"}
