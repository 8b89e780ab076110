"""The broker in memory answers as Mosquitto does, byte by byte; without that it proves nothing.

Mosquitto's answers are recorded; where it is installed, the record is compared with it.
"""

import json
import tempfile
from pathlib import Path

import pytest
from rigs.broker_answers import (
    BYE,
    PING,
    USER,
    WILL,
    Bytes,
    Step,
    after_connect,
    all_real_answers,
    connect,
    fake_answers,
    joined,
    mosquitto,
    named,
    publish,
    string,
    subscribe,
    write_record,
)
from rigs.mosquitto import need_mosquitto

from fakes.mqtt_packets import packet

# What Mosquitto answered, so that the comparison runs where it is not installed.
RECORDED = Path(__file__).with_name("mosquitto_answers.json")

CASES: dict[str, list[Step]] = {
    # What a good client does.
    "ping": after_connect(),
    "qos0": after_connect(publish(b"x")),
    "qos1": after_connect(publish(b"x", 0x32, pid=77)),
    "qos1-dup": after_connect(publish(b"x", 0x3A, pid=77)),
    "qos1-empty": after_connect(publish(b"", 0x32)),
    "qos2": after_connect(publish(b"x", 0x34, pid=9), b"\x62\x02\x00\x09"),
    "early-publish": [("a", connect() + publish(b"x", 0x32) + publish(b"y", 0x32, pid=2))],
    "early-subscribe": [("a", connect() + subscribe() + publish(b"y"))],
    "disconnect": after_connect(BYE),
    "empty-id-clean": [("a", connect(b"")), ("a", PING)],
    "keepalive-0": [("a", connect(keepalive_s=0)), ("a", PING)],
    "will": [("a", connect(flags=0x04, extra=WILL)), ("a", PING)],
    "subscribe-0": after_connect(subscribe(qos=0), publish(b"x", 0x32)),
    "subscribe-1": after_connect(subscribe(), publish(b"x", 0x32), b"\x40\x02\x00\x01"),
    "subscribe-two": after_connect(
        packet(0x82, b"\x00\x06" + string(b"{id}/a") + b"\x01" + string(b"{id}/b") + b"\x00")
    ),
    "unsubscribe": after_connect(
        subscribe(), packet(0xA2, b"\x00\x07" + string(b"{id}/#")), publish(b"x")
    ),
    "wildcard-plus": after_connect(subscribe(b"{id}/+/c"), publish(b"x", topic=b"{id}/b/c")),
    "wildcard-parent": after_connect(subscribe(b"{id}/#"), publish(b"x", topic=b"{id}")),
    "overlapping": after_connect(
        subscribe(b"{id}/#", qos=0), subscribe(b"{id}/t", pid=6), publish(b"x", 0x32)
    ),
    "retained": [
        ("a", connect()),
        ("a", publish(b"kept", 0x33)),
        ("b", connect(b"{id}-b")),
        ("b", subscribe()),
        ("a", publish(b"live", 0x33, pid=2)),
        ("b", PING),
    ],
    "retained-cleared": [
        ("a", connect() + publish(b"kept", 0x31) + publish(b"", 0x31)),
        ("b", connect(b"{id}-b") + subscribe()),
    ],
    "will-of-the-dead": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04 | 0x08 | 0x20, extra=WILL)),
        ("a", None),
        ("b", PING),
    ],
    "no-will-after-disconnect": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04, extra=WILL)),
        ("a", BYE),
        ("b", PING),
    ],
    "will-of-the-malformed": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04, extra=WILL)),
        ("a", publish(b"x", 0x36)),
        ("b", PING),
    ],
    "takeover": [("a", connect()), ("b", connect()), ("a", PING), ("b", PING)],
    "session-kept": [
        ("a", connect(clean=False)),
        ("a", subscribe()),
        ("a", BYE),
        ("b", connect(b"{id}-b") + publish(b"1", 0x32) + publish(b"2", 0x32, pid=2)),
        ("b", publish(b"not queued", 0x30)),
        ("c", connect(clean=False)),
        ("c", b"\x40\x02\x00\x01\x40\x02\x00\x02"),
        ("c", PING),
    ],
    "inflight-again-with-dup": [
        ("a", connect(clean=False) + subscribe()),
        ("b", connect(b"{id}-b") + publish(b"1", 0x32)),
        ("a", None),
        ("c", connect(clean=False)),
        ("c", b"\x40\x02\x00\x01"),
        ("c", BYE),
        ("d", connect(clean=False)),
    ],
    "session-dropped-by-clean": [
        ("a", connect(clean=False) + subscribe()),
        ("a", BYE),
        ("b", connect()),
        ("b", publish(b"x")),
    ],
    "in-pieces": [
        ("a", connect()[:3]),
        ("a", connect()[3:] + publish(b"x", 0x32)[:5]),
        ("a", publish(b"x", 0x32)[5:]),
        ("a", PING),
    ],
    "unknown-puback": after_connect(b"\x40\x02\x00\x09"),
    # What a broken one does.
    "connect-twice": after_connect(connect()),
    "publish-first": [("a", publish(b"x"))],
    "ping-first": [("a", PING)],
    "wrong-name": [("a", connect(name=b"MQXX"))],
    "wrong-level": [("a", connect(level=9))],
    "reserved-connect-flag": [("a", connect(flags=0x01))],
    "will-qos-3": [("a", connect(flags=0x04 | 0x18, extra=WILL))],
    "will-qos-without-will": [("a", connect(flags=0x08))],
    "will-retain-without-will": [("a", connect(flags=0x20))],
    "will-flag-without-will": [("a", connect(flags=0x04))],
    "will-topic-wildcard": [("a", connect(flags=0x04, extra=string(b"{id}/#") + string(b"x")))],
    "password-without-user": [("a", connect(flags=0x40, extra=USER))],
    "user-missing": [("a", connect(flags=0x80))],
    "connect-surplus": [("a", connect(extra=b"surplus"))],
    "empty-id-not-clean": [("a", connect(b"", clean=False))],
    "id-not-utf8": [("a", connect(b"\xff\xfe"))],
    "connect-flags-in-header": [("a", b"\x11" + connect()[1:])],
    "connect-short": [("a", packet(0x10, string(b"MQTT") + b"\x04"))],
    "length-of-five-bytes": after_connect(b"\x30\xff\xff\xff\xff\x01"),
    "qos-3": after_connect(publish(b"x", 0x36)),
    "dup-on-qos-0": after_connect(publish(b"x", 0x38)),
    "packet-id-0": after_connect(publish(b"x", 0x32, pid=0)),
    "topic-plus": after_connect(publish(b"x", topic=b"{id}/+")),
    "topic-hash": after_connect(publish(b"x", topic=b"{id}/#")),
    "topic-empty": after_connect(publish(b"x", topic=b"")),
    "topic-not-utf8": after_connect(publish(b"x", topic=b"{id}/\xc3\x28")),
    "topic-surrogate": after_connect(publish(b"x", topic=b"{id}/\xed\xa0\x80")),
    "topic-nul": after_connect(publish(b"x", topic=b"{id}/\x00")),
    "topic-control": after_connect(publish(b"x", topic=b"{id}/\x07")),
    "topic-longer-than-packet": after_connect(packet(0x30, b"\x00\x50abc")),
    "publish-without-id": after_connect(packet(0x32, string(b"abc"))),
    "publish-empty-body": after_connect(b"\x30\x00"),
    "subscribe-flags": after_connect(subscribe(first=0x80)),
    "subscribe-id-0": after_connect(subscribe(pid=0)),
    "subscribe-nothing": after_connect(packet(0x82, b"\x00\x05")),
    "subscribe-qos-3": after_connect(subscribe(qos=3)),
    "subscribe-bad-filter": after_connect(subscribe(b"{id}/a#")),
    "subscribe-hash-inside": after_connect(subscribe(b"{id}/#/a")),
    "subscribe-empty-filter": after_connect(subscribe(b"")),
    "unsubscribe-flags": after_connect(packet(0xA0, b"\x00\x07" + string(b"a"))),
    "unsubscribe-nothing": after_connect(packet(0xA2, b"\x00\x07")),
    "puback-length": after_connect(b"\x40\x03\x00\x01\x00"),
    "puback-id-0": after_connect(b"\x40\x02\x00\x00"),
    "puback-flags": after_connect(b"\x42\x02\x00\x01"),
    "pubrel-flags": after_connect(b"\x60\x02\x00\x01"),
    "connack-from-client": after_connect(b"\x20\x02\x00\x00"),
    "suback-from-client": after_connect(b"\x90\x03\x00\x01\x00"),
    "pingresp-from-client": after_connect(b"\xd0\x00"),
    "type-0": after_connect(b"\x00\x00"),
    "type-15": after_connect(b"\xf0\x00"),
    "ping-flags": after_connect(b"\xc1\x00"),
    "ping-with-body": after_connect(b"\xc0\x01\x00"),
    "disconnect-flags": after_connect(b"\xe1\x00"),
    "disconnect-with-body": after_connect(b"\xe0\x01\x00"),
}

# Where the standard says close and some version of Mosquitto (2.0.11 all of these) reads on.
STRICTER = {
    "dup-on-qos-0",
    "puback-length",
    "puback-flags",
    "suback-from-client",
    "pingresp-from-client",
    "ping-flags",
    "ping-with-body",
}


def recorded() -> dict[str, Bytes]:
    return json.loads(RECORDED.read_text())


def test_mosquitto_still_answers_as_recorded(tmp_path: Path) -> None:
    """A difference after an update of Mosquitto: record anew, see `record`, and look at it."""
    need_mosquitto("its answers are compared as they were recorded")
    with mosquitto(tmp_path) as port:
        assert all_real_answers(CASES, port) == recorded()


@pytest.mark.parametrize("name", CASES)
def test_the_fake_broker_answers_as_mosquitto_does(name: str) -> None:
    expected, answered = recorded()[name], joined(fake_answers(named(CASES, name, CASES[name])))
    if name in STRICTER:
        answer, closed = answered["a"]
        assert closed
        assert expected["a"][0].startswith(answer)
    else:
        assert answered == expected


def record() -> None:
    """PYTHONPATH=host_tests:lib:. python host_tests/unit/fakes/test_mosquitto.py"""
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as port:
        write_record(RECORDED, all_real_answers(CASES, port))


if __name__ == "__main__":
    record()
